import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { explain } from '../../src/rules/explain.ts';
import { indexRules } from '../../src/rules/lookup.ts';
import { match } from '../../src/rules/match.ts';
import { type Parts, requestFrom, rulesOf, trafficRule } from './fixture.ts';
import { naive, type Spec } from './naive.ts';

type Case = Spec & { readonly name: string; readonly yes: readonly Parts[]; readonly no: readonly Parts[] };

const cases: readonly Case[] = parse(readFileSync(new URL('match.cases.yaml', import.meta.url), 'utf8'));

describe('the matcher and the naive reading of opensergo.md agree that', () => {
  test.each(cases)('$name', ({ name, yes, no, ...spec }) => {
    const { traffic } = rulesOf(trafficRule('gray', spec));
    for (const [requests, expected] of [
      [yes, 'gray'],
      [no, undefined],
    ] as const) {
      for (const parts of requests) {
        const request = requestFrom(parts);
        expect(naive({ gray: spec }, parts, 'trace'), `naive: ${JSON.stringify(parts)}`).toBe(expected);
        expect(match(indexRules(traffic), request, 'trace')?.label, JSON.stringify(parts)).toBe(expected);
        expect(explain(traffic, request, 'trace').rule?.label).toBe(expected);
      }
    }
  });
});

test('every condition and every type is among the cases', () => {
  const all = cases.flatMap(({ match: list = [], anyOf = [] }) => [...list, ...anyOf.flat()]);
  expect(new Set(all.map(({ condition }) => condition)).size).toBe(9);
  expect(new Set(all.map(({ type }) => type)).size).toBe(12);
});
