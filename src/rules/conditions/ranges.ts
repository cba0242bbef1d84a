// IP addresses and ranges of them, v4 and v6, as the numbers that they are.

type Address = { readonly bits: 32 | 128; readonly value: bigint };

/** The addresses that have these bits before the last `rest`. */
export type Range = { readonly bits: 32 | 128; readonly rest: bigint; readonly start: bigint };

/** `10.0.0.0/8`, `fd00::/8`; an address alone is a range of one. Bits behind the prefix do not count. */
export function parseRange(text: string): Range | undefined {
  const [, address = '', prefixText] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const parsed = parse(address);
  if (parsed === undefined) return undefined;
  const prefix = prefixText === undefined ? parsed.bits : Number(prefixText);
  if (prefix > parsed.bits) return undefined;
  const rest = BigInt(parsed.bits - prefix);
  // A range of mapped addresses is one of v4.
  const { bits, value } = rest <= 32n ? unmapped(parsed) : parsed;
  return { bits, rest, start: value >> rest };
}

/** Whether an address is in one of the ranges; what is no address is in none. HOT */
export function isWithin(text: string, ranges: readonly Range[]): boolean {
  const address = addressOf(text);
  if (address === undefined) return false;
  for (const { bits, rest, start } of ranges) if (bits === address.bits && address.value >> rest === start) return true;
  return false;
}

// Rule after rule asks for the same address.
let latest: { readonly text: string; readonly address: Address | undefined } = { text: '', address: undefined };

function addressOf(text: string): Address | undefined {
  if (latest.text === text) return latest.address;
  const parsed = parse(text);
  const address = parsed && unmapped(parsed);
  latest = { text, address };
  return address;
}

/** ::ffff:10.0.0.1 is 10.0.0.1 as a socket for both families shows it (RFC 4291, 2.5.5.2). */
function unmapped(address: Address): Address {
  const { bits, value } = address;
  return bits === 128 && value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffffffffn } : address;
}

function parse(text: string): Address | undefined {
  if (!text.includes(':')) {
    const value = parseV4(text);
    return value === undefined ? undefined : { bits: 32, value };
  }
  const value = parseV6(text);
  return value === undefined ? undefined : { bits: 128, value };
}

function parseV4(text: string): bigint | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1);
  // A leading zero means eight to some readers and ten to others.
  if (parts?.every((part) => Number(part) < 256 && !/^0\d/.test(part)) !== true) return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseV6(text: string): bigint | undefined {
  if (text.length > 45) return undefined;
  const tail = text.slice(text.lastIndexOf(':') + 1);
  const v4 = tail.includes('.') ? parseV4(tail) : undefined;
  if (tail.includes('.') && v4 === undefined) return undefined;
  const hex =
    v4 === undefined
      ? text
      : `${text.slice(0, -tail.length)}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  const halves = hex.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const [head = [], rest] = halves;
  const missing = 8 - head.length - (rest?.length ?? 0);
  if (halves.length > 2 || (rest === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...(rest ?? [])];
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
