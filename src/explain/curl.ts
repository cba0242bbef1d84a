// A request as a person gives it: a URL with flags, or a pasted curl line.
import type { parseArgs } from 'node:util';
import { bytesOf, type Request } from '../traffic/request.ts';

export type GivenRequest = {
  readonly request: Request;
  readonly url: URL;
  readonly headers: ReadonlyMap<string, string>;
};

/** Flags of curl that `explain` reads; those that take a value and do not matter are passed over with it. */
export const requestFlags = {
  header: { type: 'string', short: 'H', multiple: true },
  request: { type: 'string', short: 'X' },
  method: { type: 'string' },
  cookie: { type: 'string', short: 'b' },
  'user-agent': { type: 'string', short: 'A' },
  referer: { type: 'string', short: 'e' },
  data: { type: 'string', short: 'd', multiple: true },
  'data-raw': { type: 'string', multiple: true },
  'data-binary': { type: 'string', multiple: true },
  head: { type: 'boolean', short: 'I' },
  url: { type: 'string' },
} as const;

type Flags = ReturnType<typeof parseArgs<{ options: typeof requestFlags; allowPositionals: true }>>['values'];

/** The words of a shell line, as `curl -H 'a: b' http://x/`: quotes, backslashes and line ends with one. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  const pattern = /\s*((?:'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]|[^\s'"\\])+)/gy;
  for (const [, word = ''] of line.replaceAll(/\\\r?\n/g, ' ').matchAll(pattern)) {
    const plain = word.replaceAll(/'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])/g, (_, single, double, escaped) => {
      if (single !== undefined) return single;
      return double === undefined ? escaped : (double as string).replaceAll(/\\(["\\$`])/g, '$1');
    });
    words.push(plain);
  }
  return words;
}

/** The request that flags and a URL mean; throws an Error that says what is wrong with them. */
export function toRequest(flags: Flags, target: string): GivenRequest {
  const url = urlOf(target);
  const headers = new Map<string, string>([
    ['user-agent', flags['user-agent'] ?? 'curl'],
    ['accept', '*/*'],
  ]);
  for (const line of flags.header ?? []) addHeader(headers, line);
  if (flags.cookie !== undefined) headers.set('cookie', flags.cookie);
  if (flags.referer !== undefined) headers.set('referer', flags.referer);
  const host = headers.get('host') ?? url.host;
  headers.delete('host');
  headers.set(':authority', host);
  const hasBody = [flags.data, flags['data-raw'], flags['data-binary']].some((body) => body !== undefined);
  const method = flags.method ?? flags.request ?? (flags.head ? 'HEAD' : hasBody ? 'POST' : 'GET');
  const path = `${url.pathname}${url.search}`;
  const request = {
    method,
    path,
    header: (name: string) => (headers.has(name) ? bytesOf(headers.get(name) ?? '') : undefined),
  };
  return { request, url, headers };
}

function addHeader(headers: Map<string, string>, line: string): void {
  const [, name = '', value = ''] = /^([^:;]+)(?:[:;])\s*([\s\S]*?)\s*$/.exec(line) ?? [];
  if (name === '')
    throw new Error(`--header: found ${JSON.stringify(line)}, expected a header such as 'location: cn-shenzhen'`);
  const key = name.toLowerCase();
  const earlier = headers.get(key);
  headers.set(key, earlier === undefined || key === 'user-agent' || key === 'accept' ? value : `${earlier},${value}`);
}

function urlOf(target: string): URL {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\//i.test(target)
    ? target
    : target.startsWith('/')
      ? `http://localhost${target}`
      : `http://${target}`;
  try {
    return new URL(absolute);
  } catch {
    throw new Error(`found ${JSON.stringify(target)}, expected a URL or a path such as http://shop/orders or /orders`);
  }
}
