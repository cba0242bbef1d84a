// Virtual hosts of what leaves a pod: one for each group of addresses, and one for every address that nobody knows.

import type { Label } from '../../traffic/label.ts';
import { labelHeader } from '../../traffic/label.ts';
import { passthroughCluster, type Resource, sentHeader, serviceName } from '../resource.ts';
import { attemptsAfterPick, both, safeRetry, usualAttempts } from '../routes/route.ts';
import { type Gate, serviceRoutes } from '../routes/service.ts';
import { areTheSame, type Called, type Destination } from './destinations.ts';

/** What the hosts of a pod have in common. */
export type Pod = {
  readonly namespace: string;
  readonly gates: readonly Gate[];
  readonly own: Label | undefined;
  readonly refusing: ReadonlySet<Label>;
  /** What the virtual hosts of services add, so that callees know who calls. */
  readonly introducing: Resource;
};

/** The virtual host of some addresses. Several services on one address are told apart by what the request says. */
export function destinationHost({ domains, called, picked }: Destination, pod: Pod): Resource {
  const different = called.filter((each, index) => !called.slice(0, index).some((other) => areTheSame(other, each)));
  const name = different.map(({ service, port }) => serviceName(service, port, pod.namespace)).join('+');
  const [first = called[0]] = different;
  const told = different.length > 1 ? different.flatMap((each) => toldApart(each, picked, pod)) : [];
  return {
    name: picked === undefined ? name : `${name}@${picked.join('+') || 'base'}`,
    domains,
    routes: [
      ...(picked === undefined ? [] : [instanceRoute(first, pod.namespace)]),
      ...told,
      ...routesTo(first, { prefix: '/' }, picked, pod),
    ],
    ...pod.introducing,
    retry_policy: safeRetry(picked === undefined ? usualAttempts : attemptsAfterPick),
  };
}

/** Unknown destinations: nothing is added to their requests, so what a member of baggage became is taken off again. */
export const passthroughHost: Resource = {
  name: 'passthrough',
  domains: ['*'],
  routes: [
    {
      name: 'unknown/passthrough',
      match: { prefix: '/', headers: [{ name: sentHeader, present_match: true }] },
      ...passThrough(),
    },
    {
      name: 'unknown/passthrough',
      match: { prefix: '/' },
      ...passThrough(),
      request_headers_to_remove: [labelHeader],
    },
  ],
};

/**
 * Calls that are about one instance and no other: its health, its actuator, the metadata of its revision (Dubbo asks each
 * instance of its list; another one's answer would be about another revision). One route, because each pick has it.
 */
const instancePaths: Resource = {
  safe_regex: {
    regex:
      '/(actuator|health|healthz|livez|readyz)(/.*)?|/(grpc\\.health\\.v1\\.Health/|org\\.apache\\.dubbo\\.metadata\\.).*',
  },
};

function instanceRoute({ service, port }: Called, namespace: string): Resource {
  return {
    name: `${serviceName(service, port, namespace)}/passthrough:instance`,
    match: service.keepPicks ? { prefix: '/' } : instancePaths,
    ...passThrough(),
  };
}

function routesTo(called: Called, match: Resource, picked: readonly Label[] | undefined, pod: Pod): Resource[] {
  const gates = pod.gates.map((gate) => ({ ...gate, match: both(match, gate.match) }));
  return serviceRoutes({ ...called, ...pod, match, gates, ...(picked && { picked }) });
}

function toldApart(called: Called, picked: readonly Label[] | undefined, pod: Pod): Resource[] {
  return routesTo(called, saysService(called), picked, pod);
}

/** How a request says which service it means: Dubbo's Triple by path and headers, everybody else by Host. */
function saysService({ service: { name, namespace } }: Called): Resource {
  const [kind, type = '', version = '', group = ''] = name.split(':');
  if (kind === 'providers' && type !== '') {
    const headers = [
      ...(version === '' ? [] : [{ name: 'tri-service-version', string_match: { exact: version } }]),
      ...(group === '' ? [] : [{ name: 'tri-service-group', string_match: { exact: group } }]),
    ];
    return { prefix: `/${type}/`, ...(headers.length > 0 && { headers }) };
  }
  const regex = `${escaped(name)}(\\.${escaped(namespace)}(\\..*)?)?(:[0-9]+)?`;
  return { prefix: '/', headers: [{ name: ':authority', string_match: { safe_regex: { regex } } }] };
}

function escaped(text: string): string {
  return text.replace(/[.$]/g, '\\$&');
}

function passThrough(): Resource {
  return { route: { cluster: passthroughCluster, timeout: '0s' } };
}
