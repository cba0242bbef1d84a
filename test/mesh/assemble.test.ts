import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Assembly, createAssembler } from '../../src/mesh/assemble.ts';
import { formatProblem } from '../../src/problem.ts';
import { trafficRule } from '../rules/fixture.ts';
import { filesOf, serviceText, workloadRuleText } from './fixture.ts';

const condition = { condition: '==', type: 'header', key: 'location', value: 'cn-shenzhen' };
const rule = (name: string, spec: object = {}): string => trafficRule(name, { match: [condition], ...spec });
const broken = (name: string): string => serviceText(name, { ports: [{ port: 0 }] });
const on = (port: number): object => ({ ports: [{ port }] });

/** What is in force: services with their first port, and rules with their label. */
function inForce({ mesh }: Assembly): string[] {
  return [
    ...[...mesh.services].map(([name, { ports }]) => `${name}:${ports[0].port}`),
    ...mesh.rules.traffic.map(({ name, label }) => `${name}=${label}`),
  ];
}

function problemsOf({ problems }: Assembly): string[] {
  return problems.map(formatProblem);
}

/** Assembles one state of the files after the other; says what is in force at the end, and what is wrong. */
function assembled(...states: Readonly<Record<string, string>>[]): { inForce: string[]; problems: string[] } {
  const assemble = createAssembler();
  const assemblies = states.map((texts) => assemble(filesOf(texts)));
  const last = assemblies.at(-1);
  return last ? { inForce: inForce(last), problems: problemsOf(last) } : { inForce: [], problems: [] };
}

const badPort = 'spec.ports[0].port: found 0, expected a port, 1 to 65535';

test('a wrong document keeps its last good form, and the others go on', () => {
  const { inForce, problems } = assembled(
    { 'a.yaml': serviceText('a', on(1)) + serviceText('b', on(1)) + rule('r') },
    { 'a.yaml': broken('a') + serviceText('b', on(2)) + rule('r', { trafficLabel: 'blue' }) },
  );
  expect(inForce).toEqual(['default/a:1', 'default/b:2', 'default/r=blue']);
  expect(problems).toEqual([`a.yaml:2:106: ${badPort}`]);
});

test('a wrong rule keeps its last good form, and the others go on', () => {
  const { inForce, problems } = assembled(
    { 'a.yaml': rule('r') + rule('s') },
    { 'a.yaml': rule('r', { trafficLabel: 'base' }) + rule('s', { trafficLabel: 'blue' }) },
  );
  expect(inForce).toEqual(['default/r=gray', 'default/s=blue']);
  expect(problems).toHaveLength(1);
});

test('the last good form is kept for as long as the document is wrong, and no longer', () => {
  const good = { 'a.yaml': serviceText('a', on(1)) };
  const wrong = { 'a.yaml': broken('a') };
  expect(assembled(good, wrong, wrong, wrong).inForce).toEqual(['default/a:1']);
  expect(assembled(good, wrong, { 'a.yaml': serviceText('a', on(2)) }, wrong).inForce).toEqual(['default/a:2']);
  expect(assembled(good, wrong, { 'a.yaml': '' }, wrong).inForce).toEqual([]);
});

test('a misspelt group or version keeps the last good form too', () => {
  for (const [right, wrong] of [
    ['lanekeeper.io/v1alpha1', 'lanekeper.io/v1alpha1'],
    ['lanekeeper.io/v1alpha1', 'lanekeeper.io/v1'],
    ['traffic.opensergo.io', 'trafic.opensergo.io'],
  ] as const) {
    const text = serviceText('a', on(1)) + rule('r');
    const { inForce, problems } = assembled({ 'a.yaml': text }, { 'a.yaml': text.replace(right, wrong) });
    expect(inForce).toEqual(['default/a:1', 'default/r=gray']);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('apiVersion: found');
  }
});

test('a file that is no YAML keeps its last good documents, and the other files go on', () => {
  const { inForce, problems } = assembled(
    { 'a.yaml': serviceText('a', on(1)) + rule('r'), 'b.yaml': serviceText('b', on(1)) },
    { 'a.yaml': 'apiVersion: [', 'b.yaml': serviceText('b', on(2)) },
  );
  expect(inForce).toEqual(['default/a:1', 'default/b:2', 'default/r=gray']);
  expect(problems[0]).toMatch(/^a\.yaml:1:14: not plain YAML: /);
});

test('of a file that is half YAML the readable half is in force, and of the rest the last good form', () => {
  const { inForce } = assembled(
    { 'a.yaml': serviceText('a', on(1)) + serviceText('b', on(1)) },
    { 'a.yaml': `${serviceText('a', on(2))}---\nkind: [` },
  );
  expect(inForce).toEqual(['default/a:2', 'default/b:1']);
});

test('a document that loses its name keeps its last good form', () => {
  const text = serviceText('a', on(1));
  const { inForce, problems } = assembled({ 'a.yaml': text }, { 'a.yaml': text.replace('"name":"a"', '"nam":"a"') });
  expect(inForce).toEqual(['default/a:1']);
  expect(problems).toEqual(['a.yaml:2:68: metadata.name: found nothing, expected a name']);
});

test('a document that was taken out, or whose file was, is gone', () => {
  const both = { 'a.yaml': serviceText('a', on(1)) + rule('r'), 'b.yaml': serviceText('b', on(1)) };
  expect(assembled(both, { 'a.yaml': rule('r'), 'b.yaml': both['b.yaml'] }).inForce).toEqual([
    'default/b:1',
    'default/r=gray',
  ]);
  expect(assembled(both, { 'a.yaml': both['a.yaml'] }).inForce).toEqual(['default/a:1', 'default/r=gray']);
  expect(assembled(both, { 'b.yaml': 'kind: [' }).inForce).toEqual(['default/b:1']);
});

test('a start with a wrong document uses the others', () => {
  const { inForce, problems } = assembled({ 'a.yaml': broken('a') + serviceText('b', on(1)), 'c.yaml': 'x: [' });
  expect(inForce).toEqual(['default/b:1']);
  expect(problems.map((problem) => problem.slice(0, 6))).toEqual(['c.yaml', 'a.yaml']); // what cannot be read comes first
});

test.each([
  ['v1', 'ConfigMap'],
  ['serving.knative.dev/v1', 'Service'],
  ['v1', 'Endpoints'],
  ['apps/v1', 'Deployment'],
])('a document of somebody else is a warning, and changes nothing: %s %s', (apiVersion, kind) => {
  const foreign = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: a }\nspec: { ports: 1 }\n`;
  const { inForce, problems } = assembled({ 'a.yaml': foreign + serviceText('a', on(1)) });
  expect(inForce).toEqual(['default/a:1']);
  expect(problems).toEqual([
    `a.yaml:2:7: warning: kind: found ${kind} of ${apiVersion}, which is not read here; expected a rule of traffic.opensergo.io/v1alpha1, a Service of lanekeeper.io/v1alpha1, or Kubernetes' Service, EndpointSlice or Pod`,
  ]);
});

describe('a document that moves from one file to another', () => {
  const one = { 'a.yaml': serviceText('a', on(1)) };

  test('is the one in the other file', () => {
    expect(assembled(one, { 'a.yaml': '', 'b.yaml': serviceText('a', on(2)) })).toEqual({
      inForce: ['default/a:2'],
      problems: [],
    });
  });

  test('keeps its last good form where it arrives wrong', () => {
    expect(assembled(one, { 'a.yaml': '', 'b.yaml': broken('a') }).inForce).toEqual(['default/a:1']);
  });

  test('is not also kept in a file that is no YAML any more', () => {
    const { inForce, problems } = assembled(one, { 'a.yaml': 'x: ]', 'b.yaml': serviceText('a', on(2)) });
    expect(inForce).toEqual(['default/a:2']);
    expect(problems.filter((problem) => problem.includes('again'))).toEqual([]);
  });
});

describe('of two documents of one name the first is in force, and the other is told where that is', () => {
  test('services, in two files', () => {
    expect(assembled({ 'a.yaml': serviceText('a', on(1)), 'b.yaml': serviceText('a', on(2)) })).toEqual({
      inForce: ['default/a:1'],
      problems: [
        'b.yaml:2:76: metadata.name: found Service default/a again, expected it once; the first is at a.yaml:2:76, rename one of them',
      ],
    });
  });

  test('rules, in two files', () => {
    const { inForce, problems } = assembled({ 'a.yaml': rule('r'), 'b.yaml': rule('r', { trafficLabel: 'blue' }) });
    expect(inForce).toEqual(['default/r=gray']);
    expect(problems).toEqual([
      expect.stringMatching(/^b\.yaml:2:\d+: metadata\.name: .*default\/r again.*the first is at a\.yaml:2:/),
    ]);
  });

  test('where the second is wrong, that alone is said', () => {
    const { inForce, problems } = assembled(
      { 'a.yaml': serviceText('a', on(1)) },
      { 'a.yaml': serviceText('a', on(2)), 'b.yaml': broken('a') },
    );
    expect(inForce).toEqual(['default/a:2']);
    expect(problems).toEqual([`b.yaml:2:106: ${badPort}`]);
  });

  test('where the first is wrong, the second is in force', () => {
    const twins = { 'a.yaml': serviceText('a', on(1)), 'b.yaml': serviceText('a', on(2)) };
    expect(assembled(twins, { ...twins, 'a.yaml': broken('a') }).inForce).toEqual(['default/a:2']);
  });

  test('where both are wrong, the last good form is kept, once', () => {
    const { inForce, problems } = assembled(
      { 'a.yaml': serviceText('a', on(1)), 'b.yaml': serviceText('a', on(2)) },
      { 'a.yaml': broken('a'), 'b.yaml': broken('a') },
    );
    expect(inForce).toEqual(['default/a:1']);
    expect(problems).toEqual([`a.yaml:2:106: ${badPort}`, `b.yaml:2:106: ${badPort}`]);
  });

  test('where the first is no YAML any more, its last good form stays', () => {
    const twins = { 'a.yaml': serviceText('a', on(1)), 'b.yaml': serviceText('b', on(2)) };
    expect(assembled(twins, { ...twins, 'a.yaml': 'x: [' }).inForce).toEqual(['default/a:1', 'default/b:2']);
  });
});

test('the labels of instances follow a rule that changes in another file', () => {
  const instances = [{ address: '10.0.0.1', port: 80, labels: { app: 'a' } }];
  const assemble = createAssembler();
  const lanes = (workloadLabels: string[]) => {
    const texts = {
      'a.yaml': serviceText('a', { instances }),
      'b.yaml': workloadRuleText('w', { workloadLabels, selector: { app: 'a' } }),
    };
    return assemble(filesOf(texts)).mesh.services.get('default/a')?.instances[0]?.lanes;
  };
  expect(lanes(['gray'])).toEqual(['gray']);
  expect(lanes(['blue'])).toEqual(['blue']);
});

test('nothing that files hold makes it throw, and an unchanged good document stays in force', () => {
  const whole = [
    serviceText('a', { instances: [{ address: '10.0.0.1', port: 80, labels: { app: 'a' } }], paths: ['/a'] }),
    rule('r', { percentage: 10, stickyBy: { type: 'cookie', key: 'user' } }),
    workloadRuleText('w', { workloadLabels: ['gray'], selector: { app: 'a' } }),
  ].join('');
  const piece = fc.constantFrom(...'[]{}:,-?&*!|>\'"%@`#~<\n\t \\0', '---\n', '*a', '<<', '\u0000', '\uD800', 'null');
  const cut = fc.record({
    at: fc.nat(whole.length),
    length: fc.nat(30),
    piece: fc.oneof(piece, fc.string({ maxLength: 5 })),
  });
  const mutated = fc
    .array(cut, { maxLength: 4 })
    .map((cuts) =>
      cuts.reduce((text, { at, length, piece: put }) => text.slice(0, at) + put + text.slice(at + length), whole),
    );
  const states = fc.array(fc.tuple(mutated, fc.constantFrom(serviceText('b', on(1)), 'x: [')), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(states, (texts) => {
      const assemble = createAssembler();
      for (const [text, other] of texts) {
        const { mesh, problems } = assemble([
          { file: 'a.yaml', text },
          { file: 'b.yaml', text: other },
          { file: 'z.yaml', text: serviceText('z', on(9)) },
        ]);
        expect(mesh.services.get('default/z')?.ports[0].port).toBe(9);
        for (const problem of problems) expect(formatProblem(problem)).toMatch(/^[ab]\.yaml(:\d+:\d+)?: /);
      }
    }),
    { seed: 1, numRuns: 400 },
  );
});

test('any value at any field of a service is a service or a mistake', () => {
  const fields = fc.constantFrom('ports', 'instances', 'strict', 'paths', 'port', 'labels', '__proto__', 'constructor');
  const item = fc.dictionary(fc.constantFrom('port', 'address', 'labels', 'servicePort'), fc.jsonValue());
  const value = fc.oneof(fc.jsonValue(), fc.array(fc.oneof(item, fc.jsonValue()), { maxLength: 3 }));
  fc.assert(
    fc.property(fc.dictionary(fields, value), (spec) => {
      const { mesh, problems } = createAssembler()([{ file: 'a.yaml', text: serviceText('a', spec) }]);
      const isWrong = problems.some(({ severity }) => severity === 'error');
      expect(mesh.services.has('default/a')).toBe(!isWrong);
    }),
    { seed: 2, numRuns: 400 },
  );
});
