// Clusters that no route names any more stay for a moment: a request may still be on its way to one.

import type { PodResources } from '../envoy/render.ts';

/**
 * A request keeps the route table with which it began. One that waits for the processor's answer, or is sent again, meets its
 * cluster later than a new table removes it, and got a 503 (NC): 1 of 120,000, while lanes came and went. This is the time
 * in which a held table goes out (0.2 s), an answer is waited for (0.2 s), and attempts are made, with much to spare.
 */
const lingerMs = 2_000;

type Clusters = Pick<PodResources, 'clusters' | 'endpoints'>;

export type Lingering = {
  /** Hands the resources on, with the clusters of before that are to linger; without them later. */
  update(resources: PodResources): void;
  close(): void;
};

export function createLingering(apply: (resources: PodResources) => void, ms: number = lingerMs): Lingering {
  let last: PodResources | undefined;
  const leaving = new Map<string, { readonly from: Clusters; readonly timer: NodeJS.Timeout }>();
  return {
    update(resources) {
      for (const name of last?.clusters.keys() ?? []) if (!resources.clusters.has(name)) leave(name, last);
      for (const name of leaving.keys()) if (resources.clusters.has(name)) forget(name);
      last = resources;
      hand();
    },
    close() {
      for (const name of leaving.keys()) forget(name);
    },
  };

  function leave(name: string, from: Clusters | undefined): void {
    if (from === undefined || leaving.has(name)) return;
    const timer = setTimeout(() => {
      leaving.delete(name);
      hand();
    }, ms).unref();
    leaving.set(name, { from, timer });
  }

  function forget(name: string): void {
    clearTimeout(leaving.get(name)?.timer);
    leaving.delete(name);
  }

  function hand(): void {
    if (last === undefined) return;
    if (leaving.size === 0) {
      apply(last);
      return;
    }
    const [clusters, endpoints] = [new Map(last.clusters), new Map(last.endpoints)];
    for (const [name, { from }] of leaving) {
      const [cluster, instances] = [from.clusters.get(name), from.endpoints.get(name)];
      if (cluster !== undefined) clusters.set(name, cluster);
      if (instances !== undefined && !endpoints.has(name)) endpoints.set(name, instances);
    }
    apply({ ...last, clusters, endpoints });
  }
}
