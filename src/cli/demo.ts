// `lanekeeper demo`: the article's demonstration on this machine.
import { parseArgs } from 'node:util';
import { articleRules, type Demo, type DemoOptions, startDemo } from '../demo/demo.ts';
import { patterns } from '../demo/mariadb/article.ts';
import { serviceNames } from '../demo/topology.ts';
import { findEnvoy } from '../supervisor/binary/find.ts';
import { print, printError } from './output.ts';

export const summary = 'runs gateway → A → B → C, base and gray, on this machine';

export const help = `Usage: lanekeeper demo [flags]          (in a checkout: npm start -- [flags])

Starts a gateway and services A, B and C, each in base and gray, each with its own Envoy and lanekeeper, until Ctrl-C.

  --port PORT              of the gateway (default: 8080)
  --without SERVICE:VERSION  leave a version out, such as c:gray; may be repeated
  --rules FOLDER           rules to use in place of the article's; edit them while the demo runs
  --propagation trace|header  header: labels travel only where applications forward them (default: trace)
  --pods                   each version in a pod of its own: a network namespace in which lanekeeper redirect leads
                           connections; applications are called by name (Linux; root, or user namespaces)
  --nacos                  services come from a real Nacos, in which the applications are registered (a binary of r-nacos
                           named by RNACOS or on the PATH; else java 17 and mvn, which fetch one)
  --database               every call writes a row to a real MariaDB (MARIADBD, one that is installed, or Debian's package,
                           unpacked into the cache), and the SELECTs that prove where are printed
  --shadow table|schema|instance  with --database: rows of gray go to a table, a database, or a server of their own
  --access-log             a line for each request at each Envoy, in access.log of the demo's folder`;

type Options = Pick<
  DemoOptions,
  'port' | 'without' | 'rules' | 'propagation' | 'accessLog' | 'pods' | 'nacos' | 'database'
>;

export async function run(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if ('mistakes' in options)
    return printError(options.mistakes.map((mistake) => `lanekeeper demo: ${mistake}`).join('\n'), 64);
  const ended = Promise.withResolvers<string>();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, ended.resolve);
  try {
    const envoy = await findEnvoy({ envoy: undefined, say: print });
    const starting = startDemo({
      ...options,
      envoy,
      say: print,
      onLoss: (what) => printError(`${what}; see its log`, 1),
    });
    const demo = await Promise.race([starting, ended.promise]);
    if (typeof demo === 'string') {
      print('\nStopping');
      await starting.then(
        (started) => started.stop(),
        () => undefined,
      );
      return 0;
    }
    print(instructions(demo, options.rules));
    const watching = options.database ? watch(demo) : undefined;
    await ended.promise;
    await watching?.end();
    print('\nStopping');
    await demo.stop();
    print('Nothing is left behind');
    return 0;
  } catch (error) {
    return printError(`lanekeeper demo: ${error instanceof Error ? error.message : error}`, 1);
  } finally {
    for (const signal of signals) process.off(signal, ended.resolve);
  }
}

/** Says what is in the tables whenever it is something else. */
function watch(demo: Demo): { end(): Promise<void> } {
  let looking = Promise.resolve();
  const look = async () => {
    const found = await demo.proof().catch(() => undefined);
    if (found !== undefined) print(`\n${found}`);
  };
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, 500);
  return {
    async end() {
      clearInterval(timer);
      await looking;
    },
  };
}

function instructions({ url, folder, hint }: Demo, rules: string): string {
  return `
Ready. The gateway is at ${url}. Try

  curl ${url}/a
  curl -H 'location: cn-shenzhen' ${url}/a
  curl -H 'x-opensergo-traffic: gray' ${url}/a          (spoofed: removed at the edge)
${hint && `\n${hint}\n`}
Rules: ${rules} (edit them, they are in force within a second)
Logs:  ${folder}
Ctrl-C ends it.`;
}

function parse(args: readonly string[]): Options | { readonly mistakes: string[] } {
  const flags = {
    port: { type: 'string', default: '8080' },
    without: { type: 'string', multiple: true, default: [] as string[] },
    rules: { type: 'string', default: articleRules },
    propagation: { type: 'string', default: 'trace' },
    'access-log': { type: 'boolean', default: false },
    pods: { type: 'boolean', default: false },
    nacos: { type: 'boolean', default: false },
    database: { type: 'boolean', default: false },
    shadow: { type: 'string' },
  } as const;
  let values: ReturnType<typeof parseArgs<{ options: typeof flags }>>['values'];
  try {
    values = parseArgs({ args: [...args], options: flags }).values;
  } catch (error) {
    return { mistakes: [error instanceof Error ? error.message : String(error)] };
  }
  const { propagation } = values;
  const port = Number(values.port);
  const without = values.without.flatMap((part) => part.split(','));
  const versions = serviceNames.flatMap((service) => [`${service}:base`, `${service}:gray`]);
  const mistakes = without
    .filter((version) => !versions.includes(version))
    .map((version) => `--without: found ${JSON.stringify(version)}, expected one of ${versions.join(', ')}`);
  if (!/^\d+$/.test(values.port) || port < 1 || port > 65535)
    mistakes.push(`--port: found ${JSON.stringify(values.port)}, expected a port, 1 to 65535`);
  if (values.nacos && values.pods)
    mistakes.push('--nacos: found with --pods, expected one of them: the registry is not in the network of the pods');
  if (values.database && values.pods)
    mistakes.push('--database: found with --pods, expected one of them: the server is not in the network of the pods');
  const shadow = patterns.find((pattern) => pattern === (values.shadow ?? 'table'));
  if (shadow === undefined)
    mistakes.push(`--shadow: found ${JSON.stringify(values.shadow)}, expected one of ${patterns.join(', ')}`);
  else if (values.shadow !== undefined && !values.database) mistakes.push('--shadow: found without --database');
  if (propagation !== 'trace' && propagation !== 'header') {
    mistakes.push(`--propagation: found ${JSON.stringify(propagation)}, expected trace or header`);
    return { mistakes };
  }
  return mistakes.length > 0
    ? { mistakes }
    : {
        port,
        without,
        rules: values.rules,
        propagation,
        accessLog: values['access-log'],
        pods: values.pods,
        nacos: values.nacos,
        database: values.database ? shadow : undefined,
      };
}
