// What client and server agree on: bits, and those that a proxy cannot see through.

/** Bits 0 to 31. */
export const capability = {
  mysql: 1,
  connectWithDatabase: 1 << 3,
  compress: 1 << 5,
  protocol41: 1 << 9,
  tls: 1 << 11,
  secureConnection: 1 << 15,
  authLength: 1 << 21,
  sessionTrack: 1 << 23,
  deprecateEof: 1 << 24,
  optionalMetadata: 1 << 25,
  zstd: 1 << 26,
  queryAttributes: 1 << 27,
  /** In MariaDB once: reports of progress, in the middle of replies. */
  progress: 1 << 29,
} as const;

/** Of the four bytes that MariaDB adds: progress, COM_MULTI, COM_STMT_BULK_EXECUTE, metadata that are left out, and their like. */
const hiddenExtensions = 0b11_0111;

const hidden = capability.compress | capability.optionalMetadata | capability.zstd | capability.progress;

/** Without all that would hide statements or replies from us. */
export function seeable(bits: number, { tls }: { readonly tls: boolean }): number {
  return (bits & ~(tls ? hidden : hidden | capability.tls)) >>> 0;
}

export function seeableExtensions(bits: number): number {
  return (bits & ~hiddenExtensions) >>> 0;
}

export function has(bits: number, bit: number): boolean {
  return (bits & bit) !== 0;
}
