// What our own service document says as fields, and a Kubernetes Service as annotations.
import { nearest } from '../../documents/nearest.ts';
import type { Document } from '../../documents/parse.ts';
import { problemAt } from '../../documents/place.ts';
import { quoted } from '../../documents/value.ts';
import type { Problem } from '../../problem.ts';
import { pathExpected, pathForm } from '../document.ts';
import type { Draft } from '../mesh.ts';

const prefix = 'lanekeeper.io/';
const names = ['strict', 'hierarchical-labels', 'keep-picks', 'edge-ports', 'paths'].map((name) => prefix + name);

type Named = { readonly name: string; readonly port: number };

export type Annotated = Pick<Draft, 'strict' | 'hierarchical' | 'keepPicks' | 'paths'> & {
  readonly edges: ReadonlySet<number>;
};

/** `lanekeeper.io/strict: "true"`, `lanekeeper.io/edge-ports: "80,https"`, `lanekeeper.io/paths: "/a,/b"`. */
export function readAnnotations(
  document: Document,
  annotations: Readonly<Record<string, string>>,
  ports: readonly Named[],
): { annotated: Annotated; problems: readonly Problem[] } {
  const problems: Problem[] = unknownNames();
  const annotated = {
    strict: isTrue('strict'),
    hierarchical: isTrue('hierarchical-labels'),
    keepPicks: isTrue('keep-picks'),
    edges: new Set(list('edge-ports').flatMap(edgeOf)),
    paths: list('paths').flatMap(pathOf),
  };
  return { annotated, problems };

  function isTrue(name: string): boolean {
    const text = annotations[prefix + name];
    if (text !== undefined && text !== 'true' && text !== 'false') report(name, text, 'expected "true" or "false"');
    return text === 'true';
  }

  function list(name: string): string[] {
    const parts = (annotations[prefix + name] ?? '').split(',').map((part) => part.trim());
    return parts.filter((part) => part !== '');
  }

  function edgeOf(text: string): number[] {
    const found = ports.find(({ name, port }) => name === text || String(port) === text);
    if (found !== undefined) return [found.port];
    const known = ports.flatMap(({ name, port }) => (name === '' ? [String(port)] : [`${port} (${name})`]));
    report(
      'edge-ports',
      text,
      `expected a TCP port of this service: ${known.slice(0, 20).join(', ') || 'there is none'}`,
    );
    return [];
  }

  function pathOf(text: string): string[] {
    if (pathForm.test(text)) return [text.replace(/\/+$/, '') || '/'];
    report('paths', text, pathExpected);
    return [];
  }

  function report(name: string, found: string, expected: string): void {
    problems.push(problemAt(document, pathTo(prefix + name), `found ${quoted(found)}, ${expected}`));
  }

  function unknownNames(): Problem[] {
    const strange = Object.keys(annotations).filter((name) => name.startsWith(prefix) && !names.includes(name));
    return strange.flatMap((name) => {
      const near = nearest(name, names);
      if (near === undefined) return [];
      const message = `unknown annotation ${quoted(name)}; did you mean ${quoted(near)}?`;
      const place = document.keyPlace(pathTo(name));
      return [{ ...problemAt(document, pathTo(name), message), ...place, severity: 'warning' }];
    });
  }
}

function pathTo(name: string): readonly string[] {
  return ['metadata', 'annotations', name];
}
