import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importsOf, places, violations } from './architecture.ts';

const sources = new URL('../../src/', import.meta.url);
const files = new Map(
  readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name, readFileSync(new URL(name, sources), 'utf8')]),
);

describe('the architecture', () => {
  test('imports go one way, and pure folders import no package and no node: module', () => {
    expect(files.size).toBeGreaterThan(10);
    expect(violations(files)).toEqual([]);
  });

  test('has no cycle: what a place may import stands above it', () => {
    const names = Object.keys(places);
    const upward = names.flatMap((name, index) =>
      (places[name]?.imports ?? []).filter((below) => !names.slice(0, index).includes(below)),
    );
    expect(upward).toEqual([]);
  });

  test('has no place that is gone', () => {
    const used = new Set([...files.keys()].map((file) => file.split('/')[0]));
    expect(Object.keys(places).filter((name) => !used.has(name))).toEqual([]);
  });

  test('src imports only packages that are shipped with it', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const imported = [...files.values()].flatMap(importsOf).filter((specifier) => !/^(\.|node:)/.test(specifier));
    expect(
      imported.filter((specifier) => !(specifier.replace(/^(@[^/]+\/)?([^/]+).*$/, '$1$2') in manifest.dependencies)),
    ).toEqual([]);
  });
});

describe('the architecture test goes red', () => {
  test.each([
    ['a package in a pure folder', 'rules/match.ts', "import { z } from 'zod';", 'rules is pure'],
    [
      'a package in a pure folder, types only',
      'envoy/routes/tables.ts',
      "import type { Logger } from 'pino';",
      'envoy is pure',
    ],
    ['a node: module in a pure folder', 'traffic/label.ts', "import { hash } from 'node:crypto';", 'traffic is pure'],
    ['a dynamic import in a pure folder', 'mesh/mesh.ts', "const fs = await import('node:fs');", 'mesh is pure'],
    ['an import without names', 'decision/inbound.ts', "import 'node:fs';", 'decision is pure'],
    [
      'an upper folder',
      'rules/match.ts',
      "import { mesh } from '../mesh/mesh.ts';",
      'rules may import documents, traffic, problem.ts',
    ],
    [
      'an upper folder, types only',
      'traffic/request.ts',
      "import type { A } from '../sidecar/sidecar.ts';",
      'traffic may import problem.ts',
    ],
    [
      'an export from an upper folder',
      'rules/match.ts',
      "export * from '../cli/cli.ts';",
      'rules may import documents, traffic, problem.ts',
    ],
    [
      'a file at the top that may import nothing',
      'problem.ts',
      "import { x } from './traffic/label.ts';",
      'problem.ts may import nothing',
    ],
    [
      'an import over several lines',
      'rules/match.ts',
      "import {\n  a,\n  type B,\n} from '../mesh/mesh.ts';",
      'rules may import documents, traffic, problem.ts',
    ],
    [
      'a file outside of src',
      'cli/cli.ts',
      "import { x } from '../../test/x.ts';",
      'src imports nothing outside of src',
    ],
  ])('for %s', (_, file, text, why) => {
    expect(violations(new Map([[file, text]]))).toEqual([
      expect.stringMatching(new RegExp(`^${file} imports .*: ${why}$`)),
    ]);
  });

  test('for a folder that it does not know', () => {
    expect(violations(new Map([['misc/x.ts', '']]))).toEqual(['misc/x.ts: misc is in no place of the architecture']);
  });

  test('and stays green for what is allowed', () => {
    const text = [
      "import { parseDocument } from 'yaml';",
      "import { formatProblem } from '../problem.ts';",
      "import { quoted } from './value.ts';",
      "// import { x } from '../mesh/mesh.ts';",
      "export const help = 'taken from';\nconst other = '../mesh/mesh.ts';",
    ].join('\n');
    expect(violations(new Map([['documents/parse.ts', text]]))).toEqual([]);
  });
});

describe('house rules', () => {
  const offenders = (isOffence: (text: string, file: string) => boolean): string[] =>
    [...files].filter(([file, text]) => isOffence(text, file)).map(([file]) => file);

  test('no default export', () => {
    expect(offenders((text) => /^export default\b|\bas default\b/m.test(text))).toEqual([]);
  });

  test('no file is longer than 250 lines', () => {
    expect(offenders((text) => text.trimEnd().split('\n').length > 250)).toEqual([]);
  });

  test('no file is named after nothing', () => {
    const names = ['utils.ts', 'util.ts', 'helpers.ts', 'common.ts', 'types.ts', 'index.ts'];
    expect(offenders((_, file) => names.includes(basename(file)))).toEqual([]);
  });

  test('a file opens with a sentence that says what it is for', () => {
    expect(offenders((text) => !/^(#!.*\n)?\/\/ \S/.test(text))).toEqual([]);
  });

  test('only syntax that Node erases: no enum, namespace or parameter property', () => {
    expect(offenders((text) => !isErasable(text))).toEqual([]);
    expect(['enum A { B }', 'namespace A { export const b = 1 }'].filter(isErasable)).toEqual([]);
  });
});

function isErasable(text: string): boolean {
  try {
    stripTypeScriptTypes(text);
    return true;
  } catch {
    return false;
  }
}
