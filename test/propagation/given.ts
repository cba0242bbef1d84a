// What the tests of this folder start from.

import { type Label, parseLabel } from '../../src/traffic/label.ts';
import type { Request } from '../../src/traffic/request.ts';

export function label(text: string): Label {
  const parsed = parseLabel(text);
  if (parsed === undefined) throw new Error(`no label: ${text}`);
  return parsed;
}

export function requestWith(headers: Readonly<Record<string, string | undefined>>): Request {
  return { method: 'GET', path: '/', header: (name) => (Object.hasOwn(headers, name) ? headers[name] : undefined) };
}
