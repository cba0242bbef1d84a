// A request as the decision sees it: a read-only view of the headers that Envoy sent.

/**
 * Values are byte strings: one character a byte (latin1), so that "equal byte for byte" is `===` whatever encoding the
 * sender used. `bytesOf` brings a text of a rule into the same form.
 */
export type Request = {
  readonly method: string;
  /** As sent: not decoded, with the query. Empty for CONNECT, which has none. */
  readonly path: string;
  /** Value of a header by its lower-case name; the lines of a repeated header are joined with `,` (cookies with `; `). */
  header(name: string): string | undefined;
  /** Where it comes from: the peer of an edge, as text without port. Unknown on other ports. */
  readonly sourceAddress?: string | undefined;
};

/** A text as the byte string of its UTF-8 form. */
export function bytesOf(text: string): string {
  let bytes = '';
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}

/** The path without its query. HOT */
export function pathOf(request: Request): string {
  const mark = request.path.indexOf('?');
  return mark < 0 ? request.path : request.path.slice(0, mark);
}

/** The host in lower case (of ASCII: other bytes are parts of characters), without port; undefined where there is none. HOT */
export function hostOf(request: Request): string | undefined {
  const authority = request.header(':authority');
  if (!authority) return undefined;
  const port = authority.startsWith('[') ? authority.indexOf(']') + 1 : authority.indexOf(':');
  const host = port > 0 ? authority.slice(0, port) : authority;
  return /[A-Z]/.test(host) ? lowerCased(host) : host;
}

/** ASCII letters in lower case. */
export function lowerCased(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/**
 * The caller in an X-Forwarded-For: its last address is what the nearest Envoy itself saw, and with `trustedHops` proxies
 * before it the one as many places earlier. Where there are fewer the caller came past them, and is the last, as Envoy has
 * it (`xff_num_trusted_hops`). HOT
 */
export function forwardedAddress(value: string | undefined, trustedHops: number): string | undefined {
  if (!value) return undefined;
  const addresses = value.split(',');
  const address = addresses[addresses.length - 1 - trustedHops] ?? addresses[addresses.length - 1] ?? '';
  return trimSpace(address) || undefined;
}

/**
 * First value of a query parameter, percent-decoded (key and value; `+` is no space: that is a form's encoding, not a
 * URI's). A broken escape stays as it was sent. HOT
 */
export function queryOf(request: Request, key: string): string | undefined {
  const mark = request.path.indexOf('?');
  if (mark < 0) return undefined;
  const fragment = request.path.indexOf('#', mark);
  return firstValue(request.path.slice(mark + 1, fragment < 0 ? undefined : fragment), key);
}

/** First value of a key among pairs `a=b&c=d`, percent-decoded. HOT */
export function firstValue(pairs: string, key: string): string | undefined {
  for (const pair of pairs.split('&')) {
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    if (percentDecode(name) === key) return equals < 0 ? '' : percentDecode(pair.slice(equals + 1));
  }
  return undefined;
}

/** First value of a cookie, as sent (RFC 6265, 5.4: pairs parted by `;`; spaces around name and value do not count). HOT */
export function cookieOf(request: Request, key: string): string | undefined {
  const cookies = request.header('cookie');
  if (cookies === undefined) return undefined;
  for (const pair of cookies.split(';')) {
    const equals = pair.indexOf('=');
    if (equals >= 0 && trimSpace(pair.slice(0, equals)) === key) return trimSpace(pair.slice(equals + 1));
  }
  return undefined;
}

/** Percent-decoded, byte by byte; a broken escape stays as it is. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/**
 * Without the spaces and tabs (OWS) at both ends. `trim` takes more: the byte a0, which ends `à` in UTF-8. A regular
 * expression takes quadratic time.
 */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
