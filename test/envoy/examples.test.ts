import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { exampleFolder, examples, renderExample } from '../../scripts/examples.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';

test.each(Object.keys(examples))('the real Envoy accepts envoy/%s.yaml', async (name) => {
  const envoy = await findEnvoy({ envoy: undefined, say: () => {} });
  const output = execFileSync(envoy, ['--mode', 'validate', '--config-path', `${exampleFolder}${name}.yaml`], {
    stdio: 'pipe',
  });
  expect(String(output)).toContain('OK');
});

test('and refuses one with a mistake, so that the test above can fail', async () => {
  const envoy = await findEnvoy({ envoy: undefined, say: () => {} });
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-examples-'));
  try {
    const wrong = (await renderExample('gateway')).replace('cluster_type:', 'cluster_typo:');
    execFileSync('tee', [join(folder, 'wrong.yaml')], { input: wrong, stdio: ['pipe', 'ignore', 'ignore'] });
    expect(() =>
      execFileSync(envoy, ['--mode', 'validate', '--config-path', join(folder, 'wrong.yaml')], { stdio: 'pipe' }),
    ).toThrow('cluster_typo');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each(Object.keys(examples))('envoy/%s.yaml is what the code renders (npm run generate)', async (name) => {
  expect(readFileSync(`${exampleFolder}${name}.yaml`, 'utf8')).toBe(await renderExample(name));
});
