import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { filesSource } from '../../src/sources/files.ts';
import { serviceText } from '../mesh/fixture.ts';
import { describeSource, type Held } from './suite.ts';

describeSource('a folder of files', () => {
  const parent = mkdtempSync(join(tmpdir(), 'lanekeeper-source-'));
  const folder = join(parent, 'rules');
  mkdirSync(folder);
  const hold = (services: Held): void => {
    const names = Object.keys(services).map((name) => `${name}.yaml`);
    for (const name of readdirSync(folder)) if (!names.includes(name)) rmSync(join(folder, name));
    for (const [name, addresses] of Object.entries(services)) {
      const instances = addresses.map((address) => ({ address, port: 8080 }));
      writeFileSync(join(folder, `${name}.yaml`), serviceText(name, { instances }));
    }
  };
  return {
    source: filesSource([folder]),
    hold,
    lose: () => rmSync(folder, { recursive: true }),
    restore(services) {
      mkdirSync(folder);
      hold(services);
    },
    close: () => rmSync(parent, { recursive: true, force: true }),
  };
});

test('it is not lost while one of its paths can be read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-source-'));
  try {
    const lost: (string | undefined)[] = [];
    const source = await filesSource([folder, join(folder, 'none')]).open((state) => lost.push(state.lost));
    await source.close();
    expect(lost).toEqual([undefined]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
