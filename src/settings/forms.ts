// The forms that settings are written in: text → value, or what was expected.

import { isIP } from 'node:net';
import {
  type Address,
  capturedPort,
  type Inbound,
  type Interception,
  type Outbound,
  type Range,
  workloadLabelKey,
} from '../mesh/workload.ts';
import { labelGrammar, parseLabel } from '../traffic/label.ts';

export type Parsed<T> = { readonly value: T } | { readonly expected: string };

export const text = (given: string): Parsed<string> => ({ value: given });

export const list = (given: string): Parsed<string[]> => ({
  value: given
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean),
});

export const name = (given: string): Parsed<string> =>
  /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(given)
    ? { value: given }
    : { expected: 'a name such as orders-7d4f' };

export const count = (given: string): Parsed<number> =>
  /^[1-9]\d{0,14}$/.test(given) ? { value: Number(given) } : { expected: 'a whole number above 0' };

/** Milliseconds of `500ms`, `60s`, `5m`, `1h`. */
export function duration(given: string): Parsed<number> {
  const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
  const parts = /^(\d{1,9})(ms|s|m|h)$/.exec(given);
  if (!parts) return { expected: 'a duration such as 500ms, 60s or 5m' };
  return { value: Number(parts[1]) * units[parts[2] as keyof typeof units] };
}

export const oneOf =
  <const T extends string>(choices: readonly T[]) =>
  (given: string): Parsed<T> => {
    const value = choices.find((choice) => choice === given);
    return value === undefined ? { expected: `one of ${choices.join(', ')}` } : { value };
  };

/** `8080`, `0.0.0.0:8080`, `[::]:8080`; without an address 127.0.0.1. */
export function address(given: string): Parsed<Address> {
  const parsed = addressOrAny(given);
  return 'value' in parsed && parsed.value.port === 0 ? { expected: anAddress } : parsed;
}

/** As `address`, and port 0 for any free one. */
export function addressOrAny(given: string): Parsed<Address> {
  const parts = /^(?:\[([^\]]+)\]:|([^:]+):)?(\d{1,5})$/.exec(given);
  const host = parts?.[1] ?? parts?.[2] ?? '127.0.0.1';
  const port = Number(parts?.[3]);
  if (!parts || isIP(host) === 0 || port > 65535) return { expected: anAddress };
  return { value: { address: host, port } };
}

const anAddress = 'a port, or an IP address and a port such as 0.0.0.0:8080 or [::]:8080';

/** How many proxies stand before an edge. */
export const hops = (given: string): Parsed<number> =>
  /^\d$/.test(given) ? { value: Number(given) } : { expected: 'a number of proxies, 0 to 9' };

/** `10.0.0.0/8,fd00::/8`; an address alone is itself. */
export function ranges(given: string): Parsed<Range[]> {
  const expected = 'IP ranges such as 10.0.0.0/8 or fd00::/8, parted by commas';
  const values: Range[] = [];
  for (const part of given.split(',').map((text) => text.trim())) {
    const [address = '', length] = part.split('/');
    const bits = isIP(address) === 4 ? 32 : 128;
    const prefix = length === undefined ? bits : Number(length);
    if (isIP(address) === 0 || !/^\d{1,3}$/.test(length ?? '0') || prefix > bits)
      return { expected: `${expected} (found ${JSON.stringify(part)})` };
    values.push({ address, prefix });
  }
  return { value: values };
}

/** `app=a,version=v2`. A value of the workload's own label must be a label. */
export function pairs(given: string): Parsed<Record<string, string>> {
  const result = new Map<string, string>();
  const parts = given.split(',').map((part) => part.trim());
  for (const part of parts.filter(Boolean)) {
    const equals = part.indexOf('=');
    if (equals < 1) return { expected: `labels such as app=orders,version=v2, not ${JSON.stringify(part)}` };
    const [key, value] = [part.slice(0, equals), part.slice(equals + 1)];
    if (result.has(key)) return { expected: `each label once, not ${key} twice` };
    if (key === workloadLabelKey && parseLabel(value) === undefined)
      return { expected: `after ${key}= a label: ${labelGrammar}` };
    result.set(key, value);
  }
  return { value: Object.fromEntries(result) };
}

/** `gray`, or several labels parted by commas. */
export const labels = (given: string): Parsed<string> =>
  given.split(',').every((text) => parseLabel(text.trim()) !== undefined)
    ? { value: given }
    : { expected: `a label: ${labelGrammar}; several parted by commas` };

/** `9101=8080`, `0.0.0.0:9101=127.0.0.1:8080/edge`, several parted by commas; a port alone is one that the kernel redirects. */
export function inbound(given: string): Parsed<Inbound[]> {
  const expected = 'ports such as 9101=8080, where this pod listens and where the application does, or 9101=8080/edge';
  return each(given, expected, (left, right) => {
    const edge = right.endsWith('/edge');
    const application = address(edge ? right.slice(0, -'/edge'.length) : right);
    const listen = left === undefined ? undefined : address(left);
    if (!('value' in application)) return undefined;
    if (listen === undefined)
      return /^\d+(\/edge)?$/.test(right) ? { ...capturedPort(application.value.port), edge } : undefined;
    return 'value' in listen ? { listen: listen.value, application: application.value, edge } : undefined;
  });
}

/** `yes` for the usual ports, `no`, or two others and a mark: `15001:15006:0x539`. */
export function interception(given: string): Parsed<Interception | undefined> {
  if (given === 'no') return { value: undefined };
  const parts = /^(\d{1,5}):(\d{1,5})(?::(0x[0-9a-fA-F]{1,8}|\d{1,10}))?$/.exec(
    given === 'yes' ? '15001:15006' : given,
  );
  const [outboundPort, inboundPort, mark] = [Number(parts?.[1]), Number(parts?.[2]), parts?.[3]];
  const isPort = (port: number) => port > 0 && port < 65_536;
  if (!isPort(outboundPort) || !isPort(inboundPort) || Number(mark ?? 1) < 1 || Number(mark ?? 1) > 0xffff_ffff)
    return { expected: 'yes, no, or the ports of outgoing and incoming connections such as 15001:15006' };
  return { value: { outboundPort, inboundPort, ...(mark !== undefined && { mark: Number(mark) }) } };
}

/** `23101=b`, `23102=c.other:9090`, several parted by commas. */
export function outbound(given: string): Parsed<Outbound[]> {
  return each(given, 'ports and services such as 23101=orders or 23102=stock.other:9090', (left, right) => {
    const listen = left === undefined ? undefined : address(left);
    const parts = /^([a-z0-9-]+(?:\.[a-z0-9-]+)?)(?::(\d{1,5}))?$/.exec(right);
    const port = parts?.[2] === undefined ? undefined : Number(parts[2]);
    if (!listen || !('value' in listen) || !parts?.[1] || port === 0 || (port ?? 0) > 65535) return undefined;
    return { listen: listen.value, service: parts[1], ...(port !== undefined && { port }) };
  });
}

/** `nacos-0:8848,10.0.0.1:8848`; port 8848 where there is none. */
export function servers(given: string): Parsed<{ host: string; port: number }[]> {
  const values = given
    .split(',')
    .map((text) => /^\s*(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\s*$/.exec(text));
  const parsed = values.map((parts) => ({
    host: (parts?.[1] ?? '').replace(/[[\]]/g, ''),
    port: Number(parts?.[2] ?? 8848),
  }));
  return parsed.every(({ host, port }) => host !== '' && port > 0 && port < 64_536) // gRPC is 1000 above
    ? { value: parsed }
    : { expected: 'servers such as nacos-0:8848,nacos-1:8848' };
}

/** `rules.yaml@GROUP,other.yaml`. */
export function configurations(given: string): Parsed<{ dataId: string; group: string }[]> {
  const parts = given.split(',').map((text) => text.trim().split('@'));
  return parts.every(([dataId, group, ...more]) => dataId && group !== '' && more.length === 0)
    ? { value: parts.map(([dataId = '', group = 'DEFAULT_GROUP']) => ({ dataId, group })) }
    : { expected: 'data ids such as rules.yaml or rules.yaml@SHOP' };
}

/** The label in the JSON that OpenSergo's agents take; empty where it names none. */
export function bootstrapLabel(given: string): Parsed<string> {
  const expected = 'a JSON object such as {"OPENSERGO_LABEL": "gray"}';
  try {
    const parsed: unknown = JSON.parse(given);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return { expected };
    const label = 'OPENSERGO_LABEL' in parsed ? parsed.OPENSERGO_LABEL : '';
    return typeof label === 'string' ? { value: label } : { expected };
  } catch {
    return { expected };
  }
}

/** Parts of a list, `LEFT=RIGHT` or `RIGHT` each; what is undefined is a mistake. */
export function each<T>(
  given: string,
  expected: string,
  parse: (left: string | undefined, right: string) => T | undefined,
): Parsed<T[]> {
  const values: T[] = [];
  for (const part of given
    .split(',')
    .map((text) => text.trim())
    .filter(Boolean)) {
    const equals = part.indexOf('=');
    const value = parse(equals < 1 ? undefined : part.slice(0, equals), part.slice(equals + 1));
    if (value === undefined) return { expected: `${expected}, not ${JSON.stringify(part)}` };
    values.push(value);
  }
  return { value: values };
}
