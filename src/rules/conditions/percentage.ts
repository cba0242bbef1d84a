// The hash that decides a percentage: the same value always falls on the same side, and each rule draws anew.

/**
 * Where a value falls among ten thousand; a share chooses the buckets below it, so that raising it keeps everybody. The
 * salt makes rules independent: the tenth that one rule chooses is not the tenth of the next. Both are byte strings. HOT
 */
export function bucketOf(salt: string, value: string): number {
  return murmur3(value, murmur3(salt, 0)) % 10_000;
}

/** MurmurHash3_x86_32 (Austin Appleby, public domain, github.com/aappleby/smhasher) of a byte string. HOT */
export function murmur3(bytes: string, seed: number): number {
  const tail = bytes.length & ~3;
  let hash = seed;
  for (let i = 0; i < tail; i += 4) {
    hash ^= scrambled(
      byteAt(bytes, i) | (byteAt(bytes, i + 1) << 8) | (byteAt(bytes, i + 2) << 16) | (byteAt(bytes, i + 3) << 24),
    );
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  let rest = 0;
  for (let i = bytes.length - 1; i >= tail; i--) rest = (rest << 8) | byteAt(bytes, i);
  hash ^= scrambled(rest) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scrambled(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

function byteAt(bytes: string, index: number): number {
  return bytes.charCodeAt(index) & 0xff;
}
