import { describe, expect, test } from 'vitest';
import { destinationOf, lanesWithFallback } from '../../src/mesh/lanes.ts';
import type { Service } from '../../src/mesh/mesh.ts';
import type { Label } from '../../src/traffic/label.ts';

const label = (text: string) => text as Label;

function serviceWith(
  lanes: readonly string[],
  options: Partial<Pick<Service, 'strict' | 'hierarchical'>> = {},
): Service {
  const instances = lanes.map((lane, index) => ({
    address: '10.0.0.1',
    port: index + 1,
    servicePort: 80,
    labels: {},
    lanes: [label(lane)],
    healthy: true,
    weight: 1,
  }));
  return {
    name: 'b',
    namespace: 'default',
    ports: [{ port: 80, protocol: 'http', edge: false }],
    addresses: [],
    instances,
    keepPicks: false,
    strict: false,
    hierarchical: false,
    paths: [],
    ...options,
  };
}

const nobody = new Set<Label>();
const chains = (service: Service, refusing = nobody) =>
  Object.fromEntries(lanesWithFallback(service, 80, refusing).map((lane) => [lane.label, lane.chain]));

describe('what is tried behind a lane', () => {
  test('is base', () => {
    expect(chains(serviceWith(['gray', 'blue']))).toEqual({ blue: ['blue', undefined], gray: ['gray', undefined] });
  });

  test('is its parents first, where the service asks for hierarchical labels, a child before its parent', () => {
    const service = serviceWith(['a', 'a.b', 'a.b.c.d'], { hierarchical: true });
    expect(chains(service)).toEqual({
      'a.b.c.d': ['a.b.c.d', 'a.b', 'a', undefined],
      'a.b': ['a.b', 'a', undefined],
      a: ['a', undefined],
    });
    expect(lanesWithFallback(service, 80, nobody).map((lane) => lane.label)).toEqual(['a.b.c.d', 'a.b', 'a']);
  });

  test('is nothing where the service is strict, or the label refuses base', () => {
    expect(chains(serviceWith(['a', 'a.b'], { hierarchical: true, strict: true }))).toEqual({
      a: ['a'],
      'a.b': ['a.b'],
    });
    expect(chains(serviceWith(['a', 'b']), new Set([label('a')]))).toEqual({ a: ['a'], b: ['b', undefined] });
  });
});

describe('where a request goes', () => {
  const lane = (text: string) => ({ kind: 'lane', lane: { label: text } });
  const refusing = new Set([label('load'), label('gray.load')]);
  test.each([
    ['without a label, base', serviceWith(['gray']), undefined, { kind: 'base' }],
    ['its lane', serviceWith(['gray']), 'gray', lane('gray')],
    ['base, where no lane has its label', serviceWith(['gray']), 'blue', { kind: 'base' }],
    [
      'base, where only the parent has a lane and nobody asked for that',
      serviceWith(['gray']),
      'gray.eu',
      { kind: 'base' },
    ],
    [
      'the deepest parent that has a lane',
      serviceWith(['gray', 'gray.eu'], { hierarchical: true }),
      'gray.eu.fr',
      lane('gray.eu'),
    ],
    [
      'nowhere at a strict service without its lane',
      serviceWith(['gray'], { strict: true }),
      'blue',
      { kind: 'refused', by: 'service' },
    ],
    ['nowhere where it refuses base and has no lane', serviceWith(['gray']), 'load', { kind: 'refused', by: 'label' }],
    [
      'nowhere where it refuses base and only its parent has a lane',
      serviceWith(['gray'], { hierarchical: true }),
      'gray.load',
      { kind: 'refused', by: 'label' },
    ],
    ['its lane, where it refuses base', serviceWith(['load']), 'load', lane('load')],
  ])('%s', (_, service, text, destination) => {
    expect(destinationOf(service, 80, text === undefined ? undefined : label(text), refusing)).toMatchObject(
      destination,
    );
  });
});
