// Where a labelled request goes at a service: its lane, what is tried when that fails, or nowhere.

import type { RuleSet } from '../rules/compile.ts';
import type { Label } from '../traffic/label.ts';
import { lanesOf, type Service } from './mesh.ts';

export type Lane = {
  readonly label: Label;
  /** What is tried, in order: the lane, its parents, base (undefined). Only the lane itself where fallback is refused. */
  readonly chain: readonly (Label | undefined)[];
};

export type Destination =
  | { readonly kind: 'lane'; readonly lane: Lane }
  | { readonly kind: 'base' }
  /** No fallback: the service is strict, or the label refuses it. */
  | { readonly kind: 'refused'; readonly by: 'service' | 'label' };

/** Labels whose requests must never reach base: a rule gives them with `onFailure: refuse`. */
export function refusingLabels(rules: RuleSet): ReadonlySet<Label> {
  return new Set(rules.traffic.filter(({ onFailure }) => onFailure === 'refuse').map(({ label }) => label));
}

/** The lanes of a service on a port, a child before its parent. */
export function lanesWithFallback(service: Service, port: number, refusing: ReadonlySet<Label>): readonly Lane[] {
  const labels = lanesOf(service, port);
  const lanes = labels.map((label): Lane => {
    if (service.strict || refusing.has(label)) return { label, chain: [label] };
    const parents = service.hierarchical ? parentsOf(label).filter((parent) => labels.includes(parent)) : [];
    return { label, chain: [label, ...parents, undefined] };
  });
  return lanes.sort((a, b) => depthOf(b.label) - depthOf(a.label));
}

/** What happens to a request with this label; without one it goes to base. */
export function destinationOf(
  service: Service,
  port: number,
  label: Label | undefined,
  refusing: ReadonlySet<Label>,
): Destination {
  if (label === undefined) return { kind: 'base' };
  const lanes = lanesWithFallback(service, port, refusing);
  const exact = lanes.find((lane) => lane.label === label);
  if (exact) return { kind: 'lane', lane: exact };
  if (refusing.has(label)) return { kind: 'refused', by: 'label' };
  const parents = service.hierarchical ? parentsOf(label) : [];
  const parent = lanes.find((lane) => parents.includes(lane.label));
  if (parent) return { kind: 'lane', lane: parent };
  return service.strict ? { kind: 'refused', by: 'service' } : { kind: 'base' };
}

/** `a.b.c` → `a.b`, `a`. */
function parentsOf(label: Label): Label[] {
  const parts = label.split('.');
  return parts.slice(1).map((_, index) => parts.slice(0, parts.length - 1 - index).join('.') as Label);
}

function depthOf(label: Label): number {
  return label.split('.').length;
}
