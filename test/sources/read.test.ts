import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readFiles } from '../../src/sources/read.ts';

test('files are in the order of the paths, those of a folder in the order of their names', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-read-'));
  try {
    for (const name of ['c.yaml', 'a.yaml', 'b.json']) writeFileSync(join(folder, name), name);
    const { files, problems } = await readFiles([join(folder, 'c.yaml'), folder]);
    expect(files.map(({ text }) => text)).toEqual(['c.yaml', 'a.yaml', 'b.json', 'c.yaml']);
    expect(problems).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
