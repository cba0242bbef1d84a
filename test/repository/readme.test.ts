import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readmeFile, renderReadme } from '../../scripts/readme.ts';
import { places } from './architecture.ts';

const readme = readFileSync(readmeFile, 'utf8');
const root = fileURLToPath(new URL('../../', import.meta.url));

test('the tables of the README are those of the code (npm run generate)', async () => {
  expect(readme).toBe(await renderReadme());
});

describe('each promise of "What happens when" has a test of its name', () => {
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !file.startsWith('repository'))
    .map((file) => readFileSync(join(root, 'test', file), 'utf8'))
    .join('\n');
  const [, section = ''] = readme.split(/^## What happens when$/m);
  const rows = (section.split(/^## /m)[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1);

  test('and there are at least a dozen', () => expect(rows.length).toBeGreaterThan(11));

  test.each(rows)('%s', (row) => {
    const [, name = ''] = /\| `([^`]+)` \|$/.exec(row) ?? [];
    expect(name).not.toBe('');
    expect(tests.includes(name)).toBe(true);
  });
});

test('the picture of the road names folders that exist', () => {
  const [, picture = ''] = /```mermaid\n([\s\S]*?)```/.exec(readme) ?? [];
  for (const folder of ['extproc', 'decision', 'rules', 'propagation', 'sources', 'mesh', 'envoy']) {
    expect(picture).toMatch(new RegExp(`\\b${folder}\\b`));
    expect(Object.keys(places)).toContain(folder);
  }
});
