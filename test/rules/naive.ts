// What opensergo.md says about rules, word for word and without a thought for speed: the oracle of the matcher.
import { BlockList, isIPv6 } from 'node:net';
import { bucketOf } from '../../src/rules/conditions/percentage.ts';
import type { Parts } from './fixture.ts';

export type Written = {
  readonly condition: string;
  readonly type: string;
  readonly key?: string;
  readonly value?: string | number | boolean | readonly string[];
};

export type Spec = {
  readonly match?: readonly Written[];
  readonly anyOf?: readonly (readonly Written[])[];
  readonly priority?: number;
  readonly percentage?: number;
  readonly stickyBy?: { readonly type: string; readonly key?: string };
};

/** The name of the rule that wins, of rules by name. */
export function naive(rules: Readonly<Record<string, Spec>>, request: Parts, identity?: string): string | undefined {
  return Object.entries(rules)
    .sort(([a, one], [b, other]) => (other.priority ?? 0) - (one.priority ?? 0) || (a < b ? -1 : 1))
    .find(([name, spec]) => matches(spec, request) && isChosen(`default/${name}`, spec, request, identity))?.[0];
}

function matches({ match, anyOf }: Spec, request: Parts): boolean {
  const all = (list: readonly Written[]): boolean => list.length > 0 && list.every((each) => holds(each, request));
  return (match === undefined || all(match)) && (anyOf === undefined || anyOf.some(all));
}

function isChosen(name: string, { percentage, stickyBy }: Spec, request: Parts, identity?: string): boolean {
  if (percentage === undefined) return true;
  const value = stickyBy === undefined ? identity : sentValue(stickyBy, request);
  return value !== undefined && bucketOf(name, bytes(value)) < Math.round(percentage * 100);
}

function holds({ condition, type, key, value }: Written, request: Parts): boolean {
  const found = sentValue({ type, ...(key !== undefined && { key }) }, request);
  const texts = [value ?? []].flat().map((text) => (type === 'host' ? String(text).toLowerCase() : String(text)));
  const [text = ''] = texts;
  const isOne = found !== undefined && (type === 'sourceIp' ? isIn(found, texts) : texts.includes(found));
  switch (condition) {
    case '==':
    case 'in':
      return isOne;
    case '!=':
    case 'notIn':
      return !isOne;
    case 'absent':
      return found === undefined;
    case 'exists':
      return found !== undefined;
    case 'prefix':
      return found !== undefined && found.slice(0, text.length) === text;
    case 'suffix':
      return found !== undefined && text.length <= found.length && found.slice(found.length - text.length) === text;
    case 'regex':
      return found !== undefined && found.length <= 8_192 && new RegExp(`^(?:${value})$`, 'u').test(found);
    default:
      throw new Error(`no condition ${condition}`);
  }
}

function sentValue({ type, key = '' }: { type: string; key?: string }, request: Parts): string | undefined {
  const { method = 'GET', host = 'shop.example', path = '/', headers = {}, sourceAddress } = request;
  switch (type) {
    case 'header':
      return headers[key.toLowerCase()];
    case 'path':
      return path.split('?')[0] || undefined;
    case 'method':
      return method;
    case 'host':
      return host.toLowerCase().replace(/:\d*$/, '') || undefined;
    case 'sourceIp':
      return sourceAddress;
    case 'query': {
      const pairs = path.split('?').slice(1).join('?').split('&');
      const [, value] = pairs.map(halves).find(([name]) => decoded(name) === key) ?? [];
      return value === undefined ? undefined : decoded(value);
    }
    case 'cookie': {
      const pairs = (headers['cookie'] ?? '').split(';').filter((pair) => pair.includes('='));
      return pairs
        .map(halves)
        .find(([name]) => name.trim() === key)?.[1]
        .trim();
    }
    case 'sourceLabel': {
      const pairs = headers['x-lane-source']?.split('&') ?? [];
      const [, value] = pairs.map(halves).find(([name]) => decoded(name) === key) ?? [];
      return value === undefined ? undefined : decoded(value);
    }
    case 'dubboInterface':
    case 'dubboMethod': {
      const [before, ...parts] = path.replace(/\?.*/s, '').split('/');
      const isCall = method === 'POST' && before === '' && parts.length === 2 && parts.every((part) => part !== '');
      return isCall ? parts[type === 'dubboInterface' ? 0 : 1] : undefined;
    }
    case 'dubboVersion':
      return headers['tri-service-version'];
    case 'dubboGroup':
      return headers['tri-service-group'];
    default:
      throw new Error(`no type ${type}`);
  }
}

function halves(pair: string): [string, string] {
  const [name = '', ...rest] = pair.split('=');
  return [name, rest.join('=')];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isIn(address: string, ranges: readonly string[]): boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [net = '', prefix] = range.split('/');
    const family = isIPv6(net) ? 'ipv6' : 'ipv4';
    list.addSubnet(net, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family);
  }
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

function bytes(text: string): string {
  return Buffer.from(text).toString('latin1');
}
