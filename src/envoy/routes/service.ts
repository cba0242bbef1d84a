// The routes to one service: which lane a request takes, and what happens where there is none. First match wins.

import { destinationOf, type Lane, lanesWithFallback } from '../../mesh/lanes.ts';
import type { Service } from '../../mesh/mesh.ts';
import type { Label } from '../../traffic/label.ts';
import { baseTarget, laneTarget, pickedBaseTarget, pickedLaneTarget, type Resource, serviceName } from '../resource.ts';
import { answered, ask, attemptsAfterPick, labelling, refuse, to, usualAttempts, withLabel } from './route.ts';

/** A match that shows a request to the processor. */
export type Gate = {
  readonly match: Resource;
  /** True where the answer may be a label that must never reach base: without an answer the request is refused. */
  readonly refuse?: boolean;
};

export type ServiceRoutes = {
  readonly service: Service;
  readonly port: number;
  /** The namespace of the pod: services of others have it in their name. */
  readonly namespace: string;
  readonly match: Resource;
  /** What is asked, where no label is known. */
  readonly gates: readonly Gate[];
  /** The label that unlabelled requests of this workload get. */
  readonly own?: Label | undefined;
  /** Labels that must never reach base. */
  readonly refusing: ReadonlySet<Label>;
  /** The lanes of the instance that the client has picked itself, empty for base: its pick is kept where its lane is right. */
  readonly picked?: readonly Label[];
};

/**
 * Refused label → lane by answer → lane by header → another label → ask → the workload's own label, or base. A route is
 * called after the lane that it wants and how that became known, `b/gray:asked`: with the lane that answered, statistics
 * show every fallback.
 */
export function serviceRoutes(options: ServiceRoutes): Resource[] {
  const { service, port, namespace, match, gates, own, refusing, picked } = options;
  const name = serviceName(service, port, namespace);
  const usual = picked === undefined ? usualAttempts : attemptsAfterPick;
  const lanes = lanesWithFallback(service, port, refusing);
  const toBase = to(picked?.length === 0 ? pickedBaseTarget(name) : baseTarget(name), usual);
  const refused = [...refusing].filter((label) => !lanes.some((lane) => lane.label === label));
  const rest = { ...destination(own), ...labelling(own) };
  const mayRefuse = gates.some((gate) => gate.refuse);
  return [
    ...refused.map((label) => ({
      name: `${name}/${label}:refused`,
      match: withLabel(match, { exact: label }),
      ...noFallback(label),
    })),
    // Of an address that a client picked there are three virtual hosts a service: what was answered is in the header too.
    ...(picked ? [] : lanes).map((lane) => ({
      name: `${name}/${lane.label}:asked`,
      match: { ...match, ...answered('label', { string_match: labelMatch(lane) }) },
      ...toLane(lane),
    })),
    ...lanes.map((lane) => ({
      name: `${name}/${lane.label}`,
      match: withLabel(match, labelMatch(lane)),
      ...toLane(lane),
    })),
    {
      name: service.strict ? `${name}/none:strict` : `${name}/base:unknown`,
      match: withLabel(match, { safe_regex: { regex: '.+' } }),
      ...(service.strict ? refuse(`${name} is strict and has no lane for this label`) : toBase),
    },
    ...(mayRefuse
      ? [
          {
            name: `${name}/${own ?? 'base'}:asked`,
            match: { ...match, ...answered('reason', { present_match: true }) },
            ...rest,
          },
        ]
      : []),
    ...gates.map((gate) => ({
      name: `${name}/${own ?? 'base'}:ask`,
      match: gate.match,
      ...(gate.refuse ? refuse('lanekeeper cannot be asked whether this request may reach base') : rest),
      ...ask,
    })),
    { name: own === undefined ? `${name}/base` : `${name}/${own}:own`, match, ...rest },
  ];

  function toLane(lane: Lane): Resource {
    return to(picked?.includes(lane.label) ? pickedLaneTarget(name, lane) : laneTarget(name, lane), usual);
  }

  function labelMatch({ label }: Lane): Resource {
    if (!service.hierarchical) return { exact: label };
    return { safe_regex: { regex: `${label.replaceAll('.', '\\.')}(\\.[A-Za-z0-9._-]+)?` } };
  }

  function destination(label: Label | undefined): Resource {
    const found = destinationOf(service, port, label, refusing);
    if (found.kind === 'lane') return toLane(found.lane);
    if (found.kind === 'base') return toBase;
    return found.by === 'label' && label !== undefined
      ? noFallback(label)
      : refuse(`${name} is strict and has no lane for this label`);
  }

  function noFallback(label: Label): Resource {
    return refuse(`${name} has no lane ${label}, and ${label} refuses base`);
  }
}
