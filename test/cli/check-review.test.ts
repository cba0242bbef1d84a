import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../src/cli/check.ts';
import { trafficRule } from '../rules/fixture.ts';

const header = { condition: '==', type: 'header', key: 'a', value: '1' };
const service = `---
apiVersion: lanekeeper.io/v1alpha1
kind: Service
metadata: { name: b }
spec: { ports: [{ port: 80 }], instances: [{ address: 10.0.0.1, port: 80, labels: { app: b } }] }
`;

let folder: string;
let printed: string[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lanekeeper-check-'));
});
beforeEach(() => {
  printed = [];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Exit code and lines, with the path of the file cut off. */
async function check(text: string, format: string, name = 'rules.yaml'): Promise<[number, string[]]> {
  const file = join(folder, name);
  writeFileSync(file, text);
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    printed.push(String(chunk));
    return true;
  });
  const code = await run(['--format', format, file]).finally(() => write.mockRestore());
  return [code, printed.join('').replaceAll(`${folder}/`, '').trimEnd().split('\n')];
}

describe('check', () => {
  const rules = [
    trafficRule('a', { match: [header], selector: { app: 'b' } }),
    trafficRule('b', { match: [header], selector: { app: 'b' }, percentage: 5 }),
    trafficRule('c', { match: [header], selector: { app: 'c' }, priority: 1 }),
  ].join('');

  test('warns of what is never reached or meets nothing, notes what is asked beside, and exits with 0', async () => {
    const [code, lines] = await check(rules + service, 'text');
    expect(code).toBe(0);
    expect(lines).toEqual([
      'rules.yaml:4:1: warning: rule default/b is never reached: default/a at rules.yaml:2:1 takes all that it matches',
      expect.stringMatching(/^rules.yaml:6:\d+: warning: found the selector "app: c", and no instance/),
      'rules.yaml:4:1: note: rule default/b asks more than it labels: percentage 5 is decided by the processor',
      '1 file, 3 rules, 1 service: 0 mistakes, 2 warnings',
    ]);
  });

  test('does not look for instances where no service is checked', async () => {
    expect((await check(rules, 'text'))[1].filter((line) => line.includes('selector'))).toEqual([]);
  });

  test('prints workflow commands for GitHub', async () => {
    const wrong = trafficRule('d', { match: [{ ...header, condition: 'equals' }] });
    const [code, lines] = await check(`${rules}${service}${wrong}`, 'github', 'a,b:100%.yaml');
    expect(code).toBe(1);
    expect(lines).toEqual([
      expect.stringMatching(
        /^::error file=a%2Cb%3A100%25\.yaml,line=13,col=\d+::spec\.match\[0\]\.condition: found "equals", expected "==", /,
      ),
      expect.stringMatching(/^::warning file=a%2Cb%3A100%25\.yaml,line=4,col=1::rule default\/b is never reached: /),
      expect.stringMatching(/^::warning file=a%2Cb%3A100%25\.yaml,line=6,col=\d+::found the selector /),
      expect.stringMatching(/^::notice file=a%2Cb%3A100%25\.yaml,line=4,col=1::rule default\/b asks more /),
      '1 file, 3 rules, 1 service: 1 mistake, 2 warnings',
    ]);
  });

  test('has notes beside the problems in JSON', async () => {
    const [, lines] = await check(rules, 'json');
    expect(JSON.parse(lines.join('\n'))).toMatchObject({
      ok: true,
      problems: [{ severity: 'warning', line: 4 }],
      notes: [{ file: 'rules.yaml', line: 4, column: 1, message: expect.stringContaining('percentage 5') }],
    });
  });
});
