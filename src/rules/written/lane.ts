// `TrafficLane`: headers and paths as the draft writes them, read as the conditions that they are.

import type { Path } from '../../documents/parse.ts';
import { isMapping, listed } from '../../documents/value.ts';
import type { WrittenCondition } from '../conditions/condition.ts';
import type { Mistake } from './condition-mistakes.ts';

/** A condition, and where its parts were written below `http`. */
export type Placed = { readonly written: WrittenCondition; readonly keyPath: Path; readonly valuePath: Path };

/** Where a document has them. */
export const httpPath = ['spec', 'rules', 'traffic', 'http'] as const;

const words = { exact: '==', prefix: 'prefix', regex: 'regex' } as const;
const isWord = (name: string): name is keyof typeof words => Object.hasOwn(words, name);

/** What `spec.rules.traffic.http` asks of a request, whatever form it has; all of it must hold. */
export function writtenConditions(http: unknown): { conditions: Placed[]; mistakes: Mistake[] } {
  const conditions: Placed[] = [];
  const mistakes: Mistake[] = [];
  if (!isMapping(http)) return { conditions, mistakes };
  const { headers, uri } = http;
  for (const [index, header] of Array.isArray(headers) ? headers.entries() : []) {
    if (isMapping(header)) addHeader(header, ['headers', index]);
  }
  if (isMapping(uri)) add({ type: 'path' }, uri, { keyPath: ['uri'], valuePath: ['uri'] });
  return { conditions, mistakes };

  /** `{ X-User-Id: , exact: 12345 }` as the draft has it; `{ X-User-Id: { exact: 12345 } }` as it was probably meant. */
  function addHeader(header: Readonly<Record<string, unknown>>, path: Path): void {
    const [name, ...others] = Object.keys(header).filter((key) => !isWord(key));
    const message = 'expected the name of one header with "exact" beside it, as { x-user-id: , exact: "1" }';
    if (name === undefined || others.length > 0) mistakes.push({ path, message });
    else if (header[name] === null)
      add({ type: 'header', key: name }, header, { keyPath: [...path, name], valuePath: path });
    else if (isMapping(header[name]))
      add({ type: 'header', key: name }, header[name], { keyPath: [...path, name], valuePath: [...path, name] });
    else mistakes.push({ path: [...path, name], message: 'expected nothing behind the name, and "exact" beside it' });
  }

  function add(
    key: Pick<WrittenCondition, 'type' | 'key'>,
    match: Readonly<Record<string, unknown>>,
    { keyPath, valuePath }: Omit<Placed, 'written'>,
  ): void {
    const [word, ...others] = Object.keys(match).filter(isWord);
    const value = word && match[word];
    if (word === undefined || others.length > 0)
      mistakes.push({ path: valuePath, message: `expected one of ${listed(Object.keys(words))}` });
    else if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      mistakes.push({ path: [...valuePath, word], message: 'expected a string' });
    else
      conditions.push({ written: { ...key, condition: words[word], value }, keyPath, valuePath: [...valuePath, word] });
  }
}
