// Mistakes that no single field of a service shows. The document may have other mistakes beside.

import type { Document, Path } from '../documents/parse.ts';
import { problemAt } from '../documents/place.ts';
import { valueAt } from '../documents/value.ts';
import type { Problem } from '../problem.ts';
import { labelGrammar, parseLabel } from '../traffic/label.ts';
import { workloadLabelKey } from './workload.ts';

const maxProblems = 100;

/** What one field of a service makes of another, and labels that are none; of many the first hundred. */
export function serviceMistakes(document: Document): Problem[] {
  const ports = listAt(document, ['spec', 'ports']).map((port) => valueAt(port, ['port']));
  const instances = listAt(document, ['spec', 'instances']);
  const mistakes = [
    ...portMistakes(document, ports),
    ...instances.flatMap((instance, index) => servicePortMistakes(document, { instance, index, ports })),
    ...twinMistakes(document, { instances, first: ports[0] }),
    ...instances.flatMap((instance, index) => labelMistakes(document, instance, index)),
  ];
  return mistakes.slice(0, maxProblems);
}

function portMistakes(document: Document, ports: readonly unknown[]): Problem[] {
  const seen = new Set<unknown>();
  return ports.flatMap((port, index) => {
    if (typeof port !== 'number' || !seen.has(port)) {
      seen.add(port);
      return [];
    }
    return [problemAt(document, ['spec', 'ports', index, 'port'], `found ${port} twice, expected each port once`)];
  });
}

type Member = { readonly instance: unknown; readonly index: number; readonly ports: readonly unknown[] };

function servicePortMistakes(document: Document, { instance, index, ports }: Member): Problem[] {
  const port = valueAt(instance, ['servicePort']);
  if (typeof port !== 'number' || ports.includes(port) || ports.length === 0) return [];
  const message = `found ${port}, expected a port of this service: ${[...new Set(ports)].slice(0, 20).join(', ')}`;
  return [problemAt(document, ['spec', 'instances', index, 'servicePort'], message)];
}

/** One address in base and in a lane would bring base requests into the lane. */
function twinMistakes(
  document: Document,
  { instances, first }: { readonly instances: readonly unknown[]; readonly first: unknown },
): Problem[] {
  const seen = new Set<string>();
  return instances.flatMap((instance, index) => {
    const [address, port] = [valueAt(instance, ['address']), valueAt(instance, ['port'])];
    const key = JSON.stringify([address, port, valueAt(instance, ['servicePort']) ?? first]);
    if (typeof address !== 'string' || typeof port !== 'number' || !seen.has(key)) {
      seen.add(key);
      return [];
    }
    const message = `found ${address} with port ${port} again, expected each instance once; give it several labels by comma`;
    return [problemAt(document, ['spec', 'instances', index, 'address'], message)];
  });
}

function labelMistakes(document: Document, instance: unknown, index: number): Problem[] {
  const written = valueAt(instance, ['labels', workloadLabelKey]);
  if (typeof written !== 'string') return [];
  return written
    .split(',')
    .map((text) => text.trim())
    .filter((text) => parseLabel(text) === undefined)
    .map((text) =>
      problemAt(
        document,
        ['spec', 'instances', index, 'labels', workloadLabelKey],
        `found ${JSON.stringify(text)}, expected a label: ${labelGrammar}`,
      ),
    );
}

function listAt(document: Document, path: Path): readonly unknown[] {
  const list = valueAt(document.value, path);
  return Array.isArray(list) ? list : [];
}
