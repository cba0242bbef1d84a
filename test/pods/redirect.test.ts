// `lanekeeper redirect` on this kernel, without Envoy: who gets which connection, by every backend that is here.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNetwork, type Network } from '../../src/demo/pods/network.ts';
import { environment } from '../../src/demo/pods/support.ts';
import type { Backend } from '../../src/redirect/redirect.ts';
import {
  applicationUid,
  call,
  converse,
  describePods,
  envoyUid,
  installedBackends,
  lanekeeper,
  listen,
  lockFile,
  redirect,
  runIn,
} from './pods.ts';

const [application, envoy, peer] = [{ pod: 'a' }, { pod: 'a', envoy: true }, { pod: 'b' }] as const;

describePods.each(installedBackends)('lanekeeper redirect --backend %s', (backend) => {
  let network: Network;
  let a: string;
  let a6: string;
  let b: string;
  let b6: string;
  let old: Awaited<ReturnType<typeof converse>>[];
  const lay = (...flags: string[]) => redirect(network, 'a', ['--backend', backend, ...flags]);

  beforeAll(async () => {
    network = await createNetwork({ pods: ['a', 'b', 'without-ipv6'], services: [] });
    ({ address: a, address6: a6 } = network.pod('a'));
    ({ address: b, address6: b6 } = network.pod('b'));
    await listen(network, 'a', envoyUid, [
      ...['127.0.0.1/15001', '::1/15001', '127.0.0.1/15011', '::/15006', '::/15020'],
    ]);
    await listen(network, 'a', applicationUid, ['::/8080', '::/9100', '::/9205']);
    await listen(network, 'b', 0, ['::/8080', '::/443', '::/9005']);
    // Before any rule, so that the kernel tracks nothing yet in this pod.
    old = await Promise.all([
      converse(network, application, b, 8080),
      converse(network, application, b6, 8080),
      converse(network, peer, a, 8080),
      converse(network, peer, a6, 8080),
    ]);
    expect(await lay('--exclude-inbound', '9100,9200-9210', '--exclude-outbound', '443,9000-9010')).toEqual({
      code: 0,
      err: '',
      out: expect.stringMatching(`^Laid by ${backend}: TCP inbound to 15006, outbound to 15001; untouched: `),
    });
  });
  afterAll(() => network?.close());

  test('lets connections live that are older than the rules', async () => {
    expect(old.map(({ greeting }) => greeting)).toEqual([
      `8080 of ${b}:8080 by ${a}`,
      `8080 of [${b6}]:8080 by ${a6}`,
      `8080 of ${a}:8080 by ${b}`,
      `8080 of [${a6}]:8080 by ${b6}`,
    ]);
    expect(await Promise.all(old.map(({ say }) => say('are you there?')))).toEqual(Array(4).fill('are you there?'));
    for (const { end } of old) end();
  });

  test('leads what the application opens to the outbound port, and where it was to go is known', async () => {
    expect(await call(network, application, b, 8080)).toBe(`15001 of ${b}:8080 by ${a}`);
    expect(await call(network, application, b6, 8080)).toBe(`15001 of [${b6}]:8080 by ${a6}`);
    expect(await call(network, application, '192.0.2.1', 5)).toBe(`15001 of 192.0.2.1:5 by ${a}`);
  });

  test('leaves alone what Envoy opens', async () => {
    expect(await call(network, envoy, b, 8080)).toBe(`8080 of ${b}:8080 by ${a}`);
    expect(await call(network, envoy, b6, 8080)).toBe(`8080 of [${b6}]:8080 by ${a6}`);
  });

  test('leads what reaches the pod to the inbound port, but for the ports of lanekeeper and those that are excluded', async () => {
    expect(await call(network, peer, a, 8080)).toBe(`15006 of ${a}:8080 by ${b}`);
    expect(await call(network, peer, a6, 8080)).toBe(`15006 of [${a6}]:8080 by ${b6}`);
    for (const port of [15020, 9100, 9205]) {
      expect(await call(network, peer, a, port)).toBe(`${port} of ${a}:${port} by ${b}`);
      expect(await call(network, peer, a6, port)).toBe(`${port} of [${a6}]:${port} by ${b6}`);
    }
  });

  test('calls excluded ports directly', async () => {
    for (const port of [443, 9005]) {
      expect(await call(network, application, b, port)).toBe(`${port} of ${b}:${port} by ${a}`);
      expect(await call(network, application, b6, port)).toBe(`${port} of [${b6}]:${port} by ${a6}`);
    }
  });

  test('leaves the application to itself on localhost and its own address', async () => {
    for (const [address, written] of [
      [a, a],
      [a6, `[${a6}]`],
      ['127.0.0.1', '127.0.0.1'],
      ['::1', '[::1]'],
    ] as const)
      expect(await call(network, application, address, 8080)).toBe(`8080 of ${written}:8080 by ${address}`);
  });

  test('takes what Envoy opens to its own pod for a call from outside, once', async () => {
    expect(await call(network, envoy, a, 8080)).toBe(`15006 of ${a}:8080 by ${a}`);
    expect(await call(network, envoy, a6, 8080)).toBe(`15006 of [${a6}]:8080 by ${a6}`);
    expect(await call(network, { ...envoy, source: '127.0.0.6' }, a, 8080)).toBe(`8080 of ${a}:8080 by 127.0.0.6`);
    expect(await call(network, { ...envoy, source: '::6' }, a6, 8080)).toBe(`8080 of [${a6}]:8080 by ::6`);
    expect(await call(network, envoy, '127.0.0.1', 8080)).toBe('8080 of 127.0.0.1:8080 by 127.0.0.1');
    expect(await call(network, envoy, a, 15020)).toBe(`15020 of ${a}:15020 by ${a}`);
  });

  test('laid twice is laid once, and with other ports takes the place of what was there', async () => {
    const count = async () => (await rules(network, backend)).length;
    expect((await lay()).out).toMatch(/^Replaced by /);
    const [once, number] = [await rules(network, backend), await count()];
    expect((await lay()).code).toBe(0);
    expect(await rules(network, backend)).toEqual(once);
    expect((await lay('--outbound-port', '15011', '--exclude-cidr', `192.0.2.0/24,${b6}`)).code).toBe(0);
    expect(await count()).toBe(number + 2);
    expect(await call(network, application, b, 8080)).toBe(`15011 of ${b}:8080 by ${a}`);
    expect(await call(network, application, b6, 8080)).toBe(`8080 of [${b6}]:8080 by ${a6}`);
    expect(await call(network, application, '192.0.2.1', 5)).toMatch(/^failed: /);
  });

  test('leads one direction only, where that is asked for', async () => {
    expect((await lay('--direction', 'inbound')).out).toMatch(/TCP inbound to 15006; /);
    expect(await call(network, application, b, 8080)).toBe(`8080 of ${b}:8080 by ${a}`);
    expect(await call(network, peer, a, 8080)).toBe(`15006 of ${a}:8080 by ${b}`);
    expect((await lay('--direction', 'outbound')).out).toMatch(/TCP outbound to 15001; /);
    expect(await call(network, application, b, 8080)).toBe(`15001 of ${b}:8080 by ${a}`);
    expect(await call(network, peer, a, 8080)).toBe(`8080 of ${a}:8080 by ${b}`);
  });

  test('knows Envoy by a mark, where that is asked for', async () => {
    expect((await lay('--mark', '0x539')).out).toContain('; untouched: mark 0x539\n');
    const marked = { ...envoy, marked: true };
    expect(await call(network, marked, b, 8080)).toBe(`8080 of ${b}:8080 by ${a}`);
    expect(await call(network, marked, a6, 8080)).toBe(`15006 of [${a6}]:8080 by ${a6}`);
    if (network.kind !== 'single user') expect(await call(network, envoy, b, 8080)).toBe(`15001 of ${b}:8080 by ${a}`);
  });

  test('takes the place of the rules of another backend', async () => {
    for (const other of installedBackends.filter((each) => each !== backend)) {
      expect((await redirect(network, 'a', ['--backend', other])).out).toMatch(`Replaced by ${other}: `);
      expect(await rules(network, backend)).toEqual([]);
      expect(await lay()).toMatchObject({ code: 0, out: expect.stringMatching(`Replaced by ${backend}: `) });
      expect(await rules(network, other)).toEqual([]);
      expect(await call(network, application, b, 8080)).toBe(`15001 of ${b}:8080 by ${a}`);
    }
  });

  test('prints a script that does the same', async () => {
    expect((await lay()).code).toBe(0);
    const laid = await rules(network, backend);
    const { out: script } = await lay('--dry-run');
    expect(await runIn(network, 'a', 0, ['sh', '-ec', script], lockFile)).toMatchObject({ code: 0, err: '' });
    expect(await rules(network, backend)).toEqual(laid);
  });

  test('laid again cuts nothing', async () => {
    expect((await lay()).code).toBe(0);
    const open = await Promise.all([
      converse(network, application, b, 8080),
      converse(network, application, b6, 8080),
      converse(network, peer, a, 8080),
      converse(network, peer, a6, 8080),
    ]);
    expect(open.map(({ greeting }) => greeting.split(' ')[0])).toEqual(['15001', '15001', '15006', '15006']);
    expect((await lay('--outbound-port', '15011')).code).toBe(0);
    expect(await Promise.all(open.map(({ say }) => say('still there?')))).toEqual(Array(4).fill('still there?'));
    for (const { end } of open) end();
  });

  // Without a rule that translates, the kernel tracks nothing in the pod, and what was translated is so no longer.
  test('removes what it laid, which cuts what went through Envoy, and has nothing to do the next time', async () => {
    expect((await lay()).code).toBe(0);
    const through = await converse(network, application, b, 8080);
    const past = await converse(network, envoy, b, 8080);
    expect([through.greeting, past.greeting]).toEqual([`15001 of ${b}:8080 by ${a}`, `8080 of ${b}:8080 by ${a}`]);
    expect(await lay('--remove')).toEqual({ code: 0, out: `Removed the rules of ${backend}\n`, err: '' });
    expect(await rules(network, backend)).toEqual([]);
    expect(await addresses(network)).not.toContain('::6/128');
    expect(await through.say('still there?')).toBe('failed: Connection reset by peer');
    expect(await past.say('still there?')).toBe('still there?');
    past.end();
    expect(await call(network, application, b, 8080)).toBe(`8080 of ${b}:8080 by ${a}`);
    expect(await call(network, peer, a6, 8080)).toBe(`8080 of [${a6}]:8080 by ${b6}`);
    expect(await lay('--remove')).toEqual({ code: 0, out: 'There are no rules of lanekeeper here\n', err: '' });
  });

  test('where IPv6 is off lays without its address, and says so', async () => {
    const pod = 'without-ipv6';
    await runIn(network, pod, 0, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6']);
    expect(await redirect(network, pod, ['--backend', backend])).toMatchObject({
      code: 0,
      err: 'lanekeeper redirect: IPv6 is off on the loopback interface: laid without ::6\n',
    });
    expect((await redirect(network, pod, ['--remove'])).out).toBe(`Removed the rules of ${backend}\n`);
  });

  describe('that fails', () => {
    const failing = backend === 'nft' ? 'nft' : `${backend.replace('iptables', 'ip6tables')}-restore`;
    let folder: string;
    beforeAll(async () => {
      expect((await lay('--remove')).code).toBe(0);
      folder = mkdtempSync(join(tmpdir(), 'lanekeeper-failing-'));
      chmodSync(folder, 0o755);
      const script = `#!/bin/sh\n[ "$1" = list ] && exit 0\necho 'table broken' >&2\nexit 3\n`;
      writeFileSync(join(folder, failing), script, { mode: 0o755 });
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const layFailing = () =>
      redirect(network, 'a', ['--backend', backend], { PATH: `${folder}:${environment()['PATH']}` });

    test('leaves nothing, and says what was run and what it said', async () => {
      const { code, out, err } = await layFailing();
      expect([code, out]).toEqual([1, '']);
      expect(err).toMatch(new RegExp(`^lanekeeper redirect: ${failing} .* said: table broken\n`));
      expect(await rules(network, backend)).toEqual([]);
      expect(await addresses(network)).not.toContain('::6/128');
    });

    test('without the leave to, says what it needs', async () => {
      if (network.kind === 'single user') return;
      const argv = [process.execPath, lanekeeper, 'redirect', '--backend', backend];
      const { code, err } = await runIn(network, 'a', applicationUid, argv, { XTABLES_LOCKFILE: '/dev/null' });
      expect([code, err]).toEqual([
        1,
        expect.stringMatching(/needs the capabilit(y NET_ADMIN|ies NET_ADMIN and NET_RAW) /),
      ]);
      expect(await rules(network, backend)).toEqual([]);
      expect((await lay()).code).toBe(0);
      const removing = await runIn(network, 'a', applicationUid, [...argv, '--remove'], {
        XTABLES_LOCKFILE: '/dev/null',
      });
      expect([removing.code, removing.err]).toEqual([1, expect.stringContaining('NET_ADMIN')]);
      expect((await lay('--remove')).out).toBe(`Removed the rules of ${backend}\n`);
    });

    const isLast = installedBackends.at(-1) === backend;
    if (!isLast)
      test('auto goes on to the next one that can', async () => {
        const rest = installedBackends.slice(installedBackends.indexOf(backend) + 1);
        const { code, out } = await redirect(network, 'a', [], { PATH: `${folder}:${environment()['PATH']}` });
        expect([code, out]).toEqual([0, expect.stringMatching(`^Laid by ${backend === 'nft' ? rest[0] : 'nft'}: `)]);
        expect(await call(network, application, b6, 8080)).toBe(`15001 of [${b6}]:8080 by ${a6}`);
        expect((await redirect(network, 'a', ['--remove'])).out).toMatch(/^Removed the rules of /);
      });

    test('leaves what was there before', async () => {
      expect((await lay('--outbound-port', '15011')).code).toBe(0);
      const before = await rules(network, backend);
      expect((await layFailing()).code).toBe(1);
      expect(await rules(network, backend)).toEqual(before);
      expect(await call(network, application, b, 8080)).toBe(`15011 of ${b}:8080 by ${a}`);
      expect((await lay('--remove')).code).toBe(0);
    });
  });
});

async function rules(network: Network, backend: Backend): Promise<string[]> {
  const listing = { nft: ['nft list tables | grep -q lanekeeper && nft list table inet lanekeeper'] } as const;
  const prefix = backend === 'iptables-legacy' ? 'legacy' : 'nft';
  const saves = [`iptables-${prefix}-save`, `ip6tables-${prefix}-save`];
  const script = backend === 'nft' ? listing.nft : saves.map((save) => `${save} -t nat 2> /dev/null | grep LANEKEEPER`);
  const { out } = await runIn(network, 'a', 0, ['sh', '-c', script.join('; ')]);
  return out.split('\n').filter(Boolean);
}

async function addresses(network: Network): Promise<string> {
  return (await runIn(network, 'a', 0, ['ip', 'addr', 'show', 'dev', 'lo'])).out;
}
