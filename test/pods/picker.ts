// An application as those with Nacos are: registers itself, resolves who it calls, picks an instance, calls its address.
import http from 'node:http';
import { createRequire } from 'node:module';

/** `register`: be an instance of the service. `calls`: so many, each to an instance picked at random. */
export type Ask =
  | {
      readonly kind: 'register';
      readonly service: string;
      readonly ip: string;
      readonly metadata: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'resolve'; readonly service: string; readonly count: number }
  | {
      readonly kind: 'calls';
      readonly service: string;
      readonly count: number;
      readonly headers: Readonly<Record<string, string>>;
    };

export type Calls = {
  /** Answers by who gave them; errors by their text. */
  readonly answers: Readonly<Record<string, number>>;
  /** Of calls whose pick was such an instance, how many were answered by that very one. */
  readonly kept: Readonly<Record<string, { readonly picked: number; readonly kept: number }>>;
};

type Instance = { readonly ip: string; readonly port: number };
type NamingClient = {
  ready(): Promise<void>;
  registerInstance(service: string, instance: Instance & { metadata: object }): Promise<void>;
  getAllInstances(service: string): Promise<Instance[]>;
  close(): void;
};

const port = 8080;

if (import.meta.main) await serve();

/** Arguments: its name, the registry, the folder in which the package `nacos` is installed. */
async function serve(): Promise<void> {
  const [, , name = '', registry = '', packages = ''] = process.argv;
  const { NacosNamingClient } = createRequire(`${packages}/package.json`)('nacos') as {
    NacosNamingClient: new (options: object) => NamingClient;
  };
  const silent = { info() {}, debug() {}, warn() {}, error() {} };
  const client = new NacosNamingClient({ logger: silent, serverList: registry, namespace: 'public' });
  await client.ready();
  const server = http.createServer((_, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(port, '::', resolve));
  process.on('message', ({ id, ask }: { id: number; ask: Ask }) => {
    answer(ask).then(
      (value) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
  console.log('serving');

  async function answer(ask: Ask): Promise<unknown> {
    switch (ask.kind) {
      case 'register':
        return client.registerInstance(ask.service, { ip: ask.ip, port, metadata: ask.metadata });
      case 'resolve': {
        const found = await client.getAllInstances(ask.service);
        return found.length >= ask.count;
      }
      case 'calls':
        return calls(ask);
    }
  }

  async function calls({ service, count, headers }: Extract<Ask, { kind: 'calls' }>): Promise<Calls> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 16 }); // its own: older connections may have been cut
    const answers: Record<string, number> = {};
    const kept: Record<string, { picked: number; kept: number }> = {};
    let sent = 0;
    const names = new Map<string, string>(); // by address, learnt from calls about the instance itself
    for (const instance of await client.getAllInstances(service))
      names.set(instance.ip, await get(agent, instance, '/actuator/health', {}).catch(() => ''));
    const worker = async (): Promise<void> => {
      while (sent++ < count) {
        const all = await client.getAllInstances(service);
        const picked = all[Math.floor(Math.random() * all.length)] as Instance;
        const body = await get(agent, picked, '/', headers).catch((error: unknown) => String(error));
        answers[body] = (answers[body] ?? 0) + 1;
        const target = names.get(picked.ip) ?? '';
        const row = kept[target] ?? { picked: 0, kept: 0 };
        kept[target] = { picked: row.picked + 1, kept: row.kept + (body === target ? 1 : 0) };
      }
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    agent.destroy();
    return { answers, kept };
  }
}

function get(agent: http.Agent, { ip, port: at }: Instance, path: string, headers: Readonly<Record<string, string>>) {
  return new Promise<string>((resolve, reject) => {
    const request = http.get({ agent, host: ip, port: at, path, headers }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(response.statusCode === 200 ? body : `${response.statusCode} ${body}`));
    });
    request.on('error', reject);
  });
}
