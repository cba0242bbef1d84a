// How a Nacos is started, empty, with all that it writes in one folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endWithUs } from '../child.ts';
import type { Installed } from './install.ts';

export type NacosPlace = {
  /** Of HTTP; it takes the ports 1000 below, and 1000 and 1001 above as well. */
  readonly port: number;
  readonly home: string;
  /** Where it listens; this machine alone where absent. */
  readonly address?: string;
  /** Only for who logs in with these. */
  readonly user?: { readonly name: string; readonly password: string } | undefined;
};

export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

export function nacosCommand(installed: Installed, place: NacosPlace): Command {
  mkdirSync(place.home, { recursive: true });
  return installed.kind === 'nacos' ? java(installed.classPath, place) : rnacos(installed.binary, place);
}

export type Launched = {
  readonly kind: Installed['kind'];
  readonly port: number;
  readonly process: ChildProcess;
  stop(): Promise<void>;
};

const readyWithinMs = 180_000;

/** Starts it, by `within` in another network; resolves when it answers there, rejects with the end of its log. */
export async function launchNacos(
  installed: Installed,
  place: NacosPlace,
  within: (argv: readonly string[]) => readonly string[] = (argv) => argv,
): Promise<Launched> {
  const { file, args, env } = nacosCommand(installed, place);
  const logFile = join(place.home, 'log');
  const log = openSync(logFile, 'w');
  const [program = '', ...words] = within(file.startsWith('/') ? [file, ...args] : ['/usr/bin/env', file, ...args]);
  const child = spawn(program, words, {
    cwd: place.home,
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const killer = endWithUs('kill -KILL "$1"', String(child.pid));
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `ended with code ${code}`));
  });
  const stop = async () => {
    killer.kill('SIGKILL');
    child.kill('SIGKILL');
    await ended;
  };
  const outcome = await Promise.race([ended, answersWithin(place.port, within)]);
  if (outcome === true) return { kind: installed.kind, port: place.port, process: child, stop };
  await stop();
  const why = outcome === false ? `does not answer within ${readyWithinMs / 1000} s` : outcome;
  throw new Error(`${installed.kind} ${why}\n${readFileSync(logFile, 'utf8').slice(-3_000)}`);
}

/** Asked by a process where it runs: nobody else may reach it. */
function answersWithin(port: number, within: (argv: readonly string[]) => readonly string[]): Promise<boolean> {
  const question = `
    const until = Date.now() + ${readyWithinMs};
    const ask = () => fetch('http://127.0.0.1:${port}/nacos/v1/ns/service/list?pageNo=1&pageSize=1')
      .then(({ ok, status }) => ok || status === 403, () => false);
    const again = async () => (await ask()) ? 0 : Date.now() > until ? 1 : new Promise((r) => setTimeout(r, 100)).then(again);
    again().then((code) => process.exit(code));`;
  const [program = '', ...args] = within([process.execPath, '-e', question]);
  return new Promise((resolve) => {
    spawn(program, args, { stdio: 'ignore' }).once('exit', (code) => resolve(code === 0));
  });
}

function rnacos(file: string, { port, home, user }: NacosPlace): Command {
  const env = {
    RNACOS_HTTP_PORT: String(port),
    RNACOS_GRPC_PORT: String(port + 1_000),
    RNACOS_HTTP_CONSOLE_PORT: String(port + 1_001),
    RNACOS_DATA_DIR: home,
    ...(user && {
      RNACOS_ENABLE_OPEN_API_AUTH: 'true',
      RNACOS_INIT_ADMIN_USERNAME: user.name,
      RNACOS_INIT_ADMIN_PASSWORD: user.password,
    }),
  };
  return { file, args: [], env };
}

function java(classPath: string, { port, home, address = '127.0.0.1', user }: NacosPlace): Command {
  mkdirSync(join(home, 'conf'), { recursive: true });
  chmodSync(home, 0o755);
  const secured = user !== undefined;
  const properties = {
    'nacos.server.main.port': port,
    'server.port': port,
    'server.address': address,
    'nacos.server.contextPath': '/nacos',
    'nacos.core.auth.enabled': secured,
    'nacos.core.auth.admin.enabled': secured,
    'nacos.core.auth.console.enabled': false,
    'nacos.core.auth.system.type': 'nacos',
    'nacos.core.auth.server.identity.key': 'test',
    'nacos.core.auth.server.identity.value': 'test',
    'nacos.core.auth.plugin.nacos.token.secret.key': Buffer.from('a secret of the tests, 32 bytes or more').toString(
      'base64',
    ),
    'nacos.core.auth.plugin.nacos.token.expire.seconds': 18_000,
    'nacos.core.api.compatibility.client.enabled': true,
    'nacos.core.api.compatibility.admin.enabled': true,
  };
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(join(home, 'conf', 'application.properties'), lines.join(''));
  const jvm = [
    '-Xms128m',
    '-Xmx256m',
    '-Xss512k',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Duser.home=${home}`,
  ];
  const nacos = {
    home,
    standalone: true,
    'deployment.type': 'server',
    'server.ip': address === '0.0.0.0' ? '127.0.0.1' : address,
    preferHostnameOverIp: false,
  };
  const settings = Object.entries(nacos).map(([key, value]) => `-Dnacos.${key}=${value}`);
  const config = `--spring.config.additional-location=file:${home}/conf/`;
  return { file: 'java', args: [...jvm, ...settings, '-cp', classPath, 'NacosStandalone', config], env: {} };
}
