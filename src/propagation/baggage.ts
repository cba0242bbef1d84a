// Our member of the `baggage` header: reading the label from it, and writing it without touching anybody else's members.

import { baggageMember, type Label, parseLabel } from '../traffic/label.ts';
import { percentDecode, trimSpace } from '../traffic/request.ts';

/** What a baggage says about the label. `invalid`: our member is there, but it is no label. */
export type BaggageLabel =
  | { readonly state: 'absent' }
  | { readonly state: 'invalid' }
  | { readonly state: 'label'; readonly label: Label };

// W3C Baggage, "Limits": what every platform must pass on, and so the most that every platform can be trusted with.
const maxMembers = 64;
const maxBytes = 8192;

/** A label of 63 characters with each of them percent-encoded: nothing longer can be a label. */
const maxValueBytes = 189;

/** What Envoy 1.40 refuses in a header value (measured byte by byte): one in an answer is a 500, even in fail-open. */
const forbidden = /[^\t -~\x80-\xff]/;

const absent: BaggageLabel = { state: 'absent' };
const invalid: BaggageLabel = { state: 'invalid' };

/**
 * What our member says. The key counts with its case, spaces around key and value do not, properties are ignored, the
 * value is percent-decoded. Several members of one value are that value; of different values, or with one outside the
 * grammar, they are invalid. https://www.w3.org/TR/baggage/ HOT
 */
export function readBaggage(baggage: string | undefined): BaggageLabel {
  if (!baggage?.includes(baggageMember)) return absent;
  let found: Label | undefined;
  for (const member of baggage.split(',')) {
    const value = ownValue(trimSpace(member));
    if (value === undefined) continue;
    const label = value.length <= maxValueBytes ? parseLabel(percentDecode(value)) : undefined;
    if (label === undefined || (found !== undefined && found !== label)) return invalid;
    found = label;
  }
  return found === undefined ? absent : { state: 'label', label: found };
}

/** The label of our member, as `readBaggage` finds it; undefined where that is absent or invalid. HOT */
export function labelOf(baggage: string | undefined): Label | undefined {
  const found = readBaggage(baggage);
  return found.state === 'label' ? found.label : undefined;
}

/**
 * The baggage with every member of ours replaced by one for this label, or by none; undefined where nothing is left.
 * Members of others keep their bytes, properties and order; only spaces between members and empty members go. The result
 * has at most 64 members and 8192 bytes (W3C Baggage, "Limits"): from the first member that does not fit, the rest is
 * dropped. A member with a byte that no header may hold is dropped too. HOT
 */
export function withLabel(baggage: string | undefined, label: Label | undefined): string | undefined {
  // First, because whoever shortens a baggage after us cuts at its end.
  let result = label === undefined ? '' : `${baggageMember}=${label}`;
  let members = label === undefined ? 0 : 1;
  for (const part of baggage?.split(',') ?? []) {
    const member = trimSpace(part);
    if (member === '' || forbidden.test(member) || ownValue(member) !== undefined) continue;
    const next = result === '' ? member : `${result},${member}`;
    if (members === maxMembers || next.length > maxBytes) break;
    result = next;
    members += 1;
  }
  return result === '' ? undefined : result;
}

/** The raw value of a member of ours; empty where it has none, undefined for members of others. */
function ownValue(member: string): string | undefined {
  if (!member.startsWith(baggageMember)) return undefined;
  const rest = trimSpace(member.slice(baggageMember.length));
  if (rest === '' || rest.startsWith(';')) return '';
  if (!rest.startsWith('=')) return undefined;
  const properties = rest.indexOf(';');
  return trimSpace(rest.slice(1, properties < 0 ? undefined : properties));
}
