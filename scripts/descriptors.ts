// Envoy's own description of its messages: every `.proto` file that it was built from stands in its binary, as a descriptor.
import { readFileSync } from 'node:fs';
import { create, createFileRegistry, type DescMessage, type FileRegistry, fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/** What only annotates: not needed to encode, and the end of a proto2 file cannot be seen. */
const annotations = /^(envoy|udpa|xds)\/annotations\/|^validate\/|^google\/protobuf\/descriptor\.proto$/;

/** The files and all that they import, out of the binary of an Envoy. */
export function readDescriptors(envoy: string, roots: readonly string[]): FileRegistry {
  const binary = readFileSync(envoy);
  const files = new Map<string, FileDescriptorProto>();
  const take = (name: string): void => {
    if (files.has(name)) return;
    const file = fromBinary(FileDescriptorProtoSchema, find(binary, name));
    file.dependency = file.dependency.filter((each) => !annotations.test(each));
    file.publicDependency = [];
    file.weakDependency = [];
    file.dependency.forEach(take);
    files.set(name, file); // after what it imports, as a registry wants them
  };
  roots.forEach(take);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...files.values()] }));
}

/** The message of this name; throws where the files do not have it. */
export function messageOf(registry: FileRegistry, name: string): DescMessage {
  const found = registry.getMessage(name);
  if (found === undefined) throw new Error(`${name} is in none of the files that were read`);
  return found;
}

/** A descriptor starts with the file's name (field 1) and ends with its syntax (field 12): `proto3`. */
function find(binary: Buffer, name: string): Buffer {
  const start = Buffer.concat([Buffer.from([0x0a, name.length]), Buffer.from(name)]);
  for (let at = binary.indexOf(start); at >= 0; at = binary.indexOf(start, at + 1)) {
    const end = endOf(binary, at);
    if (end !== undefined) return binary.subarray(at, end);
  }
  throw new Error(`this Envoy has no descriptor of ${name}`);
}

function endOf(binary: Buffer, start: number): number | undefined {
  let at = start;
  for (let previous = 1; ; ) {
    const field = (binary[at] ?? 0) >> 3;
    const isText = (binary[at++] ?? 0) % 8 === 2; // all of them but the numbers of public and weak imports
    if (field < previous || field > 12) return undefined;
    const value = varint();
    if (isText) at += value;
    if (field === 12) return at;
    previous = field;
  }

  function varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = binary[at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  }
}
