// What a large mesh costs one pod: `npm run bench:mesh -- [SERVICES…]`. Prints the rows of the README's table.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../../src/demo/topology.ts';
import { call, startApplication } from '../envoy/application.ts';
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
  const [outbound = 0, ...ports] = await freePorts(3);
  const applications = await Promise.all(
    ports.map((port) => startApplication({ member: String(port), port, forward: () => [], onSeen: () => {} })),
  );
  show(folder, [0], ports[0] ?? 0);
  for (let first = 1; first < services; first += 100) show(folder, range(first, Math.min(first + 100, services)), 0);
  const begun = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...[
        main,
        'sidecar',
        '--name',
        'bench',
        '--intercept',
        'yes',
        '--outbound',
        `${outbound}=service-0`,
        '--config',
        join(folder, 'services'),
      ],
      ...['--run-dir', run, '--admin', '0', '--log-level', 'warn'],
    ],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  try {
    await new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', (code) => reject(new Error(`the sidecar ended with code ${code}`)));
    });
    const readyMs = performance.now() - begun;
    await sleep(2_000); // what the start left to do
    const [envoy = 0] = processesNaming(join(run, 'bootstrap.json')).filter((pid) => pid !== child.pid);
    const before = { node: cpuMs(child.pid ?? 0), envoy: cpuMs(envoy) };
    const times: number[] = [];
    for (let change = 1; change <= changes; change++) {
      const port = ports[change % 2] ?? 0;
      const from = performance.now();
      show(folder, [0], port);
      while ((await call(outbound)).body !== String(port)) await sleep(2);
      times.push(performance.now() - from);
      await sleep(300); // the route table follows within 200 ms
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
    await Promise.all(applications.map((application) => application.kill()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes services into one file; base of the first service is at a port of this machine. */
function show(folder: string, services: readonly number[], port: number): void {
  const texts = services.map((service) => {
    const isHere = (row: number) => service === 0 && row === 0;
    const instances = lanes.flatMap((lane, row) =>
      range(0, isHere(row) ? 1 : instancesOfLane).map((column) => ({
        address: isHere(row) ? '127.0.0.1' : `10.${row + 1}.${service >> 8}.${service & 255}`,
        port: isHere(row) ? port : 8080 + column,
        labels: lane === undefined ? {} : { 'traffic.opensergo.io/label': lane },
      })),
    );
    return JSON.stringify({
      apiVersion: 'lanekeeper.io/v1alpha1',
      kind: 'Service',
      metadata: { name: `service-${service}` },
      spec: { ports: [{ port: 80 }], addresses: [`10.96.${service >> 8}.${service & 255}`], instances },
    });
  });
  const file = join(folder, 'services', `services-${services[0]}.yaml`);
  writeFileSync(`${file}.next`, texts.join('\n---\n'));
  renameSync(`${file}.next`, file);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
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
