// Another implementation of protobuf's JSON, over the descriptors in Envoy's binary: what the bytes must be.
import { type DescField, type DescMessage, fromJson, type JsonValue, ScalarType, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { messageOf } from '../../scripts/descriptors.ts';
import { descriptorsOf, rootMessages } from '../../scripts/fields.ts';
import { findEnvoy } from '../../src/supervisor/binary/find.ts';

export type Judge = Awaited<ReturnType<typeof openJudge>>;

export async function openJudge() {
  const registry = descriptorsOf(await findEnvoy({ say: () => {} }));
  const roots = rootMessages(registry);
  return { registry, roots, encode, arbitrary: (depth: number) => arbitraryMessage(roots, depth) };

  function encode(type: string, json: unknown): Buffer {
    const message = messageOf(registry, type);
    return Buffer.from(toBinary(message, fromJson(message, json as JsonValue, { registry })));
  }
}

/** The name of a root, and JSON of it. */
function arbitraryMessage(roots: readonly DescMessage[], depth: number): fc.Arbitrary<{ type: string; json: unknown }> {
  const served = roots.filter(({ typeName }) => !typeName.startsWith('google.protobuf.'));
  return fc
    .constantFrom(...served)
    .chain((message) => messageOfType(message, depth).map((json) => ({ type: message.typeName, json })));

  function messageOfType(message: DescMessage, left: number): fc.Arbitrary<unknown> {
    const known = special(message.typeName, left);
    if (known) return known;
    const fields = message.fields.filter(
      ({ proto, message: type }) => !proto.options?.deprecated && (left > 0 || !type),
    );
    return fc.subarray(fields, { maxLength: Math.min(5, fields.length) }).chain((chosen) => {
      const groups = new Set<string>(); // one member of each oneof
      const one = chosen.filter(({ oneof }) => !oneof || (!groups.has(oneof.name) && groups.add(oneof.name)));
      return fc.record(Object.fromEntries(one.map((field) => [field.name, contentOf(field, left)])));
    });
  }

  function contentOf(field: DescField, left: number): fc.Arbitrary<unknown> {
    const one = elementOf(field, left);
    if (field.fieldKind === 'list') return fc.array(one, { maxLength: 3 });
    if (field.fieldKind === 'map')
      return fc.dictionary(fc.string({ minLength: 1 }), one, { maxKeys: 3, noNullPrototype: true });
    return one;
  }

  function elementOf(field: DescField, left: number): fc.Arbitrary<unknown> {
    if (field.message) return messageOfType(field.message, left - 1);
    if (field.enum) return fc.constantFrom(...field.enum.values.flatMap(({ name, number }) => [name, number]));
    return scalar(field.scalar);
  }

  function special(name: string, left: number): fc.Arbitrary<unknown> | undefined {
    const short = /^google\.protobuf\.(\w+)$/.exec(name)?.[1] ?? '';
    if (short === 'Duration') return duration;
    if (short === 'Any') return anyOf(left);
    if (short === 'Value') return fc.jsonValue({ maxDepth: 2 }).filter(isWellFormed);
    if (short === 'ListValue') return fc.array(fc.jsonValue({ maxDepth: 1 }).filter(isWellFormed), { maxLength: 3 });
    if (short === 'Struct')
      return fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }).filter(isWellFormed), {
        maxKeys: 3,
        noNullPrototype: true,
      });
    const wrapped = /^(\w+)Value$/.exec(short)?.[1]?.toUpperCase();
    return wrapped === undefined ? undefined : scalar(ScalarType[wrapped as keyof typeof ScalarType]);
  }

  function anyOf(left: number): fc.Arbitrary<unknown> {
    return fc.constantFrom(...served).chain((message) =>
      messageOfType(message, Math.min(left - 1, 1)).map((json) => ({
        '@type': `type.googleapis.com/${message.typeName}`,
        ...(json as object),
      })),
    );
  }
}

const isWellFormed = (value: unknown) =>
  JSON.stringify(value).isWellFormed() && !JSON.stringify(value).includes('\\ud');

const duration = fc
  .tuple(fc.boolean(), fc.nat(315_575_999_999), fc.stringMatching(/^\d{1,9}$/), fc.boolean())
  .map(
    ([isNegative, seconds, fraction, isWhole]) => `${isNegative ? '-' : ''}${seconds}${isWhole ? '' : `.${fraction}`}s`,
  );

function scalar(type: ScalarType | undefined): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.UINT32:
      return fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    case ScalarType.INT32:
      return fc.integer();
    case ScalarType.UINT64:
      return fc.oneof(fc.bigInt(0n, 2n ** 64n - 1n).map(String), fc.maxSafeNat());
    case ScalarType.INT64:
      return fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String), fc.maxSafeInteger());
    case ScalarType.DOUBLE:
      return fc.double({ noNaN: true, noDefaultInfinity: true });
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    default:
      return fc.string({ unit: 'grapheme', maxLength: 200 });
  }
}
