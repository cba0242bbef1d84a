// What a large mesh costs one pod: `npm run bench:mesh -- [SERVICES…]`. Prints the rows of the README's table.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { call } from '../envoy/application.ts';
import { processesNaming } from '../supervisor/stage.ts';

const sizes = process.argv.slice(2).map(Number);
const changes = 20;
const lanes = [undefined, 'gray', 'blue'];
const instancesOfLane = 5;
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

console.log(
  '| services × lanes | instances | ready | lanekeeper | Envoy | an instance changes: until Envoy has it | CPU of lanekeeper, of Envoy |',
);
console.log('|---|---|---|---|---|---|---|');
for (const size of sizes.length > 0 ? sizes : [300, 1000]) console.log(`| ${(await measure(size)).join(' | ')} |`);

async function measure(services: number): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-bench-'));
  const run = join(folder, 'run');
  mkdirSync(join(folder, 'services'));
  for (let service = 0; service < services; service++) show(folder, service, 0);
  const begun = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...[main, 'sidecar', '--name', 'bench', '--intercept', 'yes', '--config', join(folder, 'services')],
      ...['--run-dir', run, '--admin', '0', '--log-level', 'warn'],
    ],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  try {
    const { adminPort } = await new Promise<{ adminPort: number }>((resolve, reject) => {
      child.once('message', (message) => resolve(message as { adminPort: number }));
      child.once('exit', (code) => reject(new Error(`the sidecar ended with code ${code}`)));
    });
    const readyMs = performance.now() - begun;
    const generation = async (name: string): Promise<number> => {
      const { body } = await call(adminPort, { path: '/metrics' });
      return Number(new RegExp(`^lanekeeper_${name} (\\d+)`, 'm').exec(body)?.[1]);
    };
    await sleep(2_000); // what the start left to do
    const [envoy = 0] = processesNaming(join(run, 'bootstrap.json')).filter((pid) => pid !== child.pid);
    const before = { node: cpuMs(child.pid ?? 0), envoy: cpuMs(envoy) };
    const times: number[] = [];
    for (let change = 1; change <= changes; change++) {
      const known = await generation('envoy_generation');
      const from = performance.now();
      show(folder, change % services, change);
      while ((await generation('envoy_generation')) === known) await sleep(5);
      times.push(performance.now() - from);
    }
    const spent = (now: number, then: number) => `${((now - then) / changes).toFixed(0)} ms`;
    times.sort((a, b) => a - b);
    return [
      `${services} × ${lanes.length}`,
      String(services * lanes.length * instancesOfLane),
      `${(readyMs / 1000).toFixed(1)} s`,
      `${residentMb(child.pid ?? 0)} MB`,
      `${residentMb(envoy)} MB`,
      `median ${times[Math.floor(changes / 2)]?.toFixed(0)} ms, worst ${times.at(-1)?.toFixed(0)} ms`,
      `${spent(cpuMs(child.pid ?? 0), before.node)}, ${spent(cpuMs(envoy), before.envoy)}`,
    ];
  } finally {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes a service; `version` moves one of its instances to another address. */
function show(folder: string, service: number, version: number): void {
  const instances = lanes.flatMap((lane, row) =>
    Array.from({ length: instancesOfLane }, (_, column) => ({
      address: `10.${row + 1}.${service >> 8}.${service & 255}`,
      port: 8080 + column + (row === 0 && column === 0 ? 100 * (version % 50) : 0),
      labels: lane === undefined ? {} : { 'traffic.opensergo.io/label': lane },
    })),
  );
  const text = JSON.stringify({
    apiVersion: 'lanekeeper.io/v1alpha1',
    kind: 'Service',
    metadata: { name: `service-${service}` },
    spec: { ports: [{ port: 80 }], addresses: [`10.96.${service >> 8}.${service & 255}`], instances },
  });
  const file = join(folder, 'services', `service-${service}.yaml`);
  writeFileSync(`${file}.next`, text);
  renameSync(`${file}.next`, file);
}

/** Processor time of a process so far (proc(5): fields 14 and 15, in ticks of 10 ms). */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function residentMb(pid: number): string {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kb) / 1024).toFixed(0);
}
