import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { PodResources } from '../../src/envoy/render.ts';
import { createLingering } from '../../src/sidecar/lingering.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Resources with these clusters, and endpoints for each; the same name is the same object only within one of them. */
const having = (...names: string[]): PodResources => ({
  listeners: new Map(),
  routes: new Map(),
  clusters: new Map(names.map((name) => [name, { name }])),
  endpoints: new Map(names.map((name) => [name, { cluster_name: name }])),
});

function stage() {
  const applied: PodResources[] = [];
  const lingering = createLingering((resources) => void applied.push(resources), 2_000);
  const clusters = () => [...(applied.at(-1)?.clusters.keys() ?? [])];
  const endpoints = () => [...(applied.at(-1)?.endpoints.keys() ?? [])];
  return { lingering, applied, clusters, endpoints };
}

test('a cluster that goes stays for two seconds, with its endpoints, and is gone then', () => {
  const { lingering, clusters, endpoints } = stage();
  lingering.update(having('b|base', 'b|gray'));
  lingering.update(having('b|base'));
  expect([clusters(), endpoints()]).toEqual([
    ['b|base', 'b|gray'],
    ['b|base', 'b|gray'],
  ]);
  vi.advanceTimersByTime(1_999);
  expect(clusters()).toEqual(['b|base', 'b|gray']);
  vi.advanceTimersByTime(1);
  expect([clusters(), endpoints()]).toEqual([['b|base'], ['b|base']]);
});

test('one that comes back is the new one at once, and does not go', () => {
  const { lingering, applied, clusters } = stage();
  lingering.update(having('b|gray'));
  lingering.update(having());
  const again = having('b|gray');
  lingering.update(again);
  expect(applied.at(-1)).toBe(again);
  vi.advanceTimersByTime(10_000);
  expect(clusters()).toEqual(['b|gray']);
});

test('other changes do not make it stay longer, and without one that goes nothing is copied', () => {
  const { lingering, applied, clusters } = stage();
  lingering.update(having('a', 'b'));
  lingering.update(having('a'));
  vi.advanceTimersByTime(1_500);
  lingering.update(having('a', 'c'));
  vi.advanceTimersByTime(500);
  expect(clusters()).toEqual(['a', 'c']);
  const last = having('a', 'c');
  lingering.update(last);
  expect(applied.at(-1)).toBe(last);
});

test('after it is closed nothing is applied any more', () => {
  const { lingering, applied } = stage();
  lingering.update(having('a'));
  lingering.update(having());
  lingering.close();
  vi.advanceTimersByTime(10_000);
  expect(applied).toHaveLength(2);
});
