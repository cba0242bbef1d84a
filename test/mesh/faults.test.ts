import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createAssembler } from '../../src/mesh/assemble.ts';
import { formatProblem } from '../../src/problem.ts';

// UPDATE=1 writes the texts of new fixtures: read them before they are kept.
const isUpdate = process.env['UPDATE'] === '1';

describe.each([
  ['a wrong service', 'faults/'],
  ['a wrong object of Kubernetes', 'kubernetes/faults/'],
])('%s is answered with exactly the text beside it', (_, path) => {
  const folder = new URL(path, import.meta.url);
  const names = (extension: string): string[] =>
    readdirSync(folder)
      .filter((file) => file.endsWith(extension))
      .map((file) => file.slice(0, -extension.length));

  test.each(names('.yaml'))('%s', (name) => {
    const expected = new URL(`${name}.txt`, folder);
    const source = { file: `${name}.yaml`, text: readFileSync(new URL(`${name}.yaml`, folder), 'utf8') };
    const { problems } = createAssembler()([source]);
    const text = problems.map((problem) => `${formatProblem(problem)}\n`).join('');
    if (isUpdate && !existsSync(expected)) writeFileSync(expected, text);
    expect(existsSync(expected), `${name}.txt is missing`).toBe(true);
    expect(text).toBe(readFileSync(expected, 'utf8'));
    expect(text).not.toBe('');
  });

  test('every text has its document', () => {
    expect(names('.txt').filter((name) => !names('.yaml').includes(name))).toEqual([]);
  });
});
