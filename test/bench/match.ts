// What a thousand rules cost beside ten: `node test/bench/match.ts`. Read the ratio, not the digits.
import { indexRules } from '../../src/rules/lookup.ts';
import { match } from '../../src/rules/match.ts';
import { type Parts, requestFrom, rulesOf, trafficRule } from '../rules/fixture.ts';

const rounds = 200_000;

/** Rules of one shape, by their position. */
const shapes: Readonly<Record<string, (at: number) => object[]>> = {
  'header ==': (at) => [{ condition: '==', type: 'header', key: 'x-user', value: `user-${at}` }],
  'cookie in': (at) => [{ condition: 'in', type: 'cookie', key: 'user', value: [`user-${at}`, `tester-${at}`] }],
  'path prefix, method ==': (at) => [
    { condition: '==', type: 'method', value: 'GET' },
    { condition: 'prefix', type: 'path', value: `/shop/${at}/` },
  ],
  'dubboInterface ==, dubboMethod ==': (at) => [
    { condition: '==', type: 'dubboInterface', value: `com.shop.Service${at}` },
    { condition: '==', type: 'dubboMethod', value: 'create' },
  ],
  'host suffix': (at) => [{ condition: 'suffix', type: 'host', value: `.tenant-${at}.example` }],
  'header regex (no hash finds it)': (at) => [
    { condition: 'regex', type: 'header', key: 'x-user', value: `user-${at}[a-z]?` },
  ],
  'sourceIp (no hash finds it)': (at) => [
    { condition: '==', type: 'sourceIp', value: `10.${at >> 8}.${at & 255}.0/24` },
  ],
};

/** Shapes that another request is for. */
const others: Readonly<Record<string, Parts>> = {
  'dubboInterface ==, dubboMethod ==': { method: 'POST', path: '/com.shop.Service9/create' },
};

const last: Parts = {
  host: 'shop.tenant-9.example',
  path: '/shop/9/basket?a=b',
  headers: { 'x-user': 'user-9', cookie: 'session=0123456789; user=tester-9; theme=dark' },
  sourceAddress: '10.0.9.1',
};
const nobody: Parts = {
  headers: { 'x-user': 'nobody', cookie: 'session=0123456789; theme=dark' },
  sourceAddress: '192.0.2.1',
};

for (const [name, conditionsOf] of Object.entries(shapes)) {
  for (const [what, parts] of Object.entries({ 'the tenth rule': others[name] ?? last, 'no rule': nobody })) {
    const [ten, thousand] = [10, 1_000].map((count) => nanosecondsFor(conditionsOf, count, parts));
    const ratio = ((thousand ?? 0) / (ten ?? 1)).toFixed(1);
    console.log(
      `${name.padEnd(34)}${what.padEnd(16)}${ten} ns with 10 rules, ${thousand} ns with 1000: ${ratio} times`,
    );
  }
}

function nanosecondsFor(conditionsOf: (at: number) => object[], count: number, parts: Parts): number {
  const texts = Array.from({ length: count }, (_, at) =>
    trafficRule(`r${String(at).padStart(4, '0')}`, { match: conditionsOf(at) }),
  );
  const rules = indexRules(rulesOf(texts.join('')).traffic);
  const request = requestFrom(parts);
  const times = count > 10 && rules.others.length > 0 ? rounds / 100 : rounds;
  let matched = 0;
  for (let i = 0; i < times / 10; i++) if (match(rules, request, 'trace')) matched++; // warm
  const started = performance.now();
  for (let i = 0; i < times; i++) if (match(rules, request, 'trace')) matched++;
  const took = performance.now() - started;
  if (matched !== 0 && matched < times) throw new Error('the benchmark does not ask what it says');
  return Math.round((took * 1e6) / times);
}
