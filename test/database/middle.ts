// What stands between client and server, in a process of its own: a plain pipe, or the proxy for base or gray.
import { connect, createServer } from 'node:net';
import { pino } from 'pino';
import { type DatabaseProxy, openProxy } from '../../src/database/proxy.ts';
import { compileShadows } from '../../src/shadow/compile.ts';
import { type Label, parseLabel } from '../../src/traffic/label.ts';
import { rulesOf } from '../rules/fixture.ts';
import { shadowTable } from './stage.ts';

const [kind = 'pipe', port = '0'] = process.argv.slice(2);
let opened: DatabaseProxy | undefined;
const upstream = { host: '127.0.0.1', port: Number(port) };

async function listen(): Promise<number> {
  if (kind !== 'pipe') return (await proxy()) ?? 0;
  const server = createServer({ noDelay: true }, (client) => {
    const behind = connect({ ...upstream, noDelay: true });
    client.pipe(behind).pipe(client);
    for (const side of [client, behind]) side.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function proxy(): Promise<number | undefined> {
  const map = compileShadows(rulesOf(shadowTable));
  const labels = kind === 'gray' ? ['gray'].map(parseLabel).filter((label): label is Label => label !== undefined) : [];
  opened = await openProxy({
    listen: { address: '127.0.0.1', port: 0 },
    upstream,
    labels: () => labels,
    shadows: () => map,
    isRemembering: () => false,
    recall: () => Promise.resolve({ outcome: 'none' }),
    unattributed: { writes: 'refuse', reads: 'base' },
    definitions: 'refuse',
    maxStatementBytes: 16 << 20,
    tls: { mode: 'strip' },
    count: () => {},
    log: pino({ level: 'silent' }),
  });
  return opened.port;
}

process.on('message', () => {
  process.send?.({ cpu: process.cpuUsage(), bytes: process.memoryUsage().rss, connections: opened?.connections ?? 0 });
});
process.on('disconnect', () => process.exit());
process.send?.({ port: await listen() });
