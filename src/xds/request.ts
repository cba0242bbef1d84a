// DeltaDiscoveryRequest, read by hand: six of its fields. A library would cost 15 MB, and read all that Envoy says of itself.

export type DeltaRequest = {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** What Envoy has of an earlier stream, by name; in the first request of a type. */
  readonly versions: ReadonlyMap<string, string>;
  /** Of the response that this answers; empty where it answers none. */
  readonly nonce: string;
  /** Why that response was refused. */
  readonly error?: string;
};

/** Throws where it is no protobuf message. */
export function decodeRequest(bytes: Buffer): DeltaRequest {
  const request = { typeUrl: '', subscribe: [] as string[], unsubscribe: [] as string[], nonce: '' };
  const versions = new Map<string, string>();
  let error: string | undefined;
  for (const [number, content] of contents(bytes)) {
    if (number === 2) request.typeUrl = content.toString();
    else if (number === 3) request.subscribe.push(content.toString());
    else if (number === 4) request.unsubscribe.push(content.toString());
    else if (number === 5) versions.set(textOf(content, 1), textOf(content, 2));
    else if (number === 6) request.nonce = content.toString();
    else if (number === 7) error = textOf(content, 2); // google.rpc.Status: 1 code, 2 message
  }
  return { ...request, versions, ...(error !== undefined && { error }) };
}

function textOf(message: Buffer, wanted: number): string {
  let text = '';
  for (const [number, content] of contents(message)) if (number === wanted) text = content.toString();
  return text;
}

/** Number and content of every field that has a length; the others are passed over. */
function* contents(bytes: Buffer): Generator<readonly [number: number, content: Buffer]> {
  let at = 0;
  while (at < bytes.length) {
    const key = varint();
    const wireType = key % 8;
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = varint();
      at += length;
      if (at > bytes.length) break;
      yield [Math.floor(key / 8), bytes.subarray(at - length, at)];
    } else throw new Error(`no message: found wire type ${wireType}`);
  }
  if (at > bytes.length) throw new Error('no message: it ends within a field');

  function varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error('no message: it ends within a field');
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }
}
