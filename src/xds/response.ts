// DeltaDiscoveryResponse by hand: a resource is encoded once for all streams, a response only puts them one after the other.

import { createWriter, delimited } from './encoding/wire.ts';
import { messageNames, type ResourceType } from './resources.ts';

export type EncodedResource = {
  readonly type: ResourceType;
  readonly name: string;
  readonly version: string;
  /** Of the message itself. */
  readonly content: Buffer;
};

export type Response = {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly Buffer[];
  readonly removed: readonly string[];
};

const writer = createWriter();

export const typeUrlOf = (type: ResourceType): string => `type.googleapis.com/${messageNames[type]}`;

/** Field 2 of a response, a `Resource`: 3 its name, 1 its version, 2 itself as an Any. */
export function encodeResource({ type, name, version, content }: EncodedResource): Buffer {
  delimited(writer, 2, () => {
    delimited(writer, 3, () => writer.text(name));
    delimited(writer, 2, () => {
      delimited(writer, 2, () => writer.bytes(content));
      delimited(writer, 1, () => writer.text(typeUrlOf(type)));
    });
    delimited(writer, 1, () => writer.text(version));
  });
  return writer.finish();
}

/** 4 type, 5 nonce, 6 names of what is gone. Protobuf takes fields in any order. */
export function encodeResponse({ typeUrl, nonce, resources, removed }: Response): Buffer {
  for (const name of removed.toReversed()) delimited(writer, 6, () => writer.text(name));
  delimited(writer, 5, () => writer.text(nonce));
  delimited(writer, 4, () => writer.text(typeUrl));
  return Buffer.concat([...resources, writer.finish()]);
}
