/**
 * Messages of any type that our protos declare, made from the descriptors themselves, and the two shapes that they take
 * in JavaScript: proto-loader's plain objects (numbers as such, enums by number, `null` for no message), and ts-proto's.
 */

import { createFileRegistry, type DescField, type DescMessage, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { fileDescriptorSet } from "../../src/gen/descriptor-set.js";

export interface PlainMessage {
  readonly [field: string]: unknown;
}

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet()));

/** The packages of our own protos; the route guide's are ours by their file. */
const ownPackages = ["millrace.v1", "routeguide"];

/** The messages that stand by themselves in our own protos. The nested ones are reached through them. */
export const ownMessages: readonly DescMessage[] = [...registry.files]
  .filter(({ proto }) => ownPackages.includes(proto.package))
  .flatMap(({ messages }) => messages);

const depthIdentifier = fc.createDepthIdentifier();

/** Any message of this type, as proto-loader has it. */
export function plainMessage(type: DescMessage): fc.Arbitrary<PlainMessage> {
  if (type.typeName === "google.protobuf.Value") return plainValue();
  const fields: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of type.fields) {
    if (field.oneof === undefined && !isOptional(field)) fields[plainName(field)] = fieldArbitrary(field);
  }
  const choices = type.oneofs
    .map(({ fields: members }) => fc.oneof(fc.constant({}), ...members.map(chosen)))
    .concat(type.fields.filter(isOptional).map((field) => fc.oneof(fc.constant({}), chosen(field))));
  return fc
    .tuple(fc.record(fields), ...choices)
    .map(([always, ...chosenFields]) => Object.assign({}, always, ...chosenFields) as PlainMessage);
}

/** A member of a oneof, or an `optional` number: there, or not there at all. */
function chosen(field: DescField): fc.Arbitrary<PlainMessage> {
  const value = field.fieldKind === "message" ? fc.constant(field.message).chain(plainMessage) : fieldArbitrary(field);
  return value.map((given) => ({ [plainName(field)]: given }));
}

/** protobuf.js brings its own google.protobuf.Any, whose names are as in proto. */
function plainName({ name, localName, parent }: DescField): string {
  return parent.typeName === "google.protobuf.Any" ? name : localName;
}

function isOptional(field: DescField): boolean {
  return field.proto.proto3Optional;
}

function fieldArbitrary(field: DescField): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case "scalar":
      return scalarArbitrary(field.scalar);
    case "enum":
      return fc.constantFrom(...field.enum.values.map(({ number }) => number));
    case "message":
      return fc.option(fc.constant(field.message).chain(plainMessage), { nil: null, depthIdentifier });
    case "list":
      return fc.array(
        field.listKind === "message" ? fc.constant(field.message).chain(plainMessage) : listScalar(field),
        { maxLength: 3, depthIdentifier },
      );
    case "map":
      // protobuf.js keeps maps in objects, which lose this one name; ours do not (`hostile-input.test.ts`).
      return fc.dictionary(
        text.filter((name) => name !== "__proto__"),
        mapValue(field),
        { maxKeys: 3, noNullPrototype: true },
      );
    default:
      return field satisfies never;
  }
}

function listScalar(field: Extract<DescField, { fieldKind: "list" }>): fc.Arbitrary<unknown> {
  if (field.listKind !== "scalar") throw new Error(`There is no arbitrary for a list such as ${field.name}`);
  // The only such list is a field mask's.
  return fc.constantFrom("labels", "limits", "limits.record_bytes");
}

function mapValue(field: Extract<DescField, { fieldKind: "map" }>): fc.Arbitrary<unknown> {
  if (field.mapKind === "scalar") return scalarArbitrary(field.scalar);
  if (field.mapKind === "message") return fc.constant(field.message).chain(plainMessage);
  throw new Error(`There is no arbitrary for a map such as ${field.name}`);
}

const text = fc.string({ unit: "binary", maxLength: 12 });

const unsigned = fc.oneof(fc.constant(0), fc.maxSafeNat(), fc.constant(Number.MAX_SAFE_INTEGER));

/** The scalar types that our protos use. */
const scalars: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: text,
  [ScalarType.BYTES]: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  [ScalarType.BOOL]: fc.boolean(),
  // A field at -0 may be left out as the default.
  [ScalarType.DOUBLE]: fc.double({ noNaN: true }).map((value) => value + 0),
  [ScalarType.INT32]: fc.oneof(fc.constant(0), fc.integer()),
  [ScalarType.UINT32]: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  [ScalarType.INT64]: fc.oneof(fc.constant(0), fc.maxSafeInteger()),
  [ScalarType.UINT64]: unsigned,
  [ScalarType.FIXED64]: unsigned,
};

function scalarArbitrary(scalar: ScalarType): fc.Arbitrary<unknown> {
  const arbitrary = scalars[scalar];
  if (arbitrary === undefined) throw new Error(`There is no arbitrary for the scalar type ${ScalarType[scalar]}`);
  return arbitrary;
}

/** JSON's values, as `google.protobuf.Value` spells them. */
function plainValue(): fc.Arbitrary<PlainMessage> {
  return fc.letrec<{ value: PlainMessage }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constant({ nullValue: 0 }),
      fc.boolean().map((boolValue) => ({ boolValue })),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => ({ numberValue: value + 0 })),
      text.map((stringValue) => ({ stringValue })),
      fc.array(tie("value"), { maxLength: 3 }).map((values) => ({ listValue: { values } })),
      fc
        .dictionary(
          text.filter((name) => name !== "__proto__"),
          tie("value"),
          { maxKeys: 3, noNullPrototype: true },
        )
        .map((fields) => ({ structValue: { fields } })),
    ),
  })).value;
}

/** The same message as ts-proto has it. */
export function asGenerated(type: DescMessage, plain: PlainMessage): unknown {
  switch (type.typeName) {
    case "google.protobuf.Struct":
      return jsonOfFields(plain["fields"] as Record<string, PlainMessage>);
    case "google.protobuf.FieldMask":
      return plain["paths"];
    default: {
      const generated: Record<string, unknown> = {};
      for (const field of type.fields) {
        if (field.oneof === undefined) generated[field.localName] = fieldAsGenerated(field, plain[plainName(field)]);
      }
      for (const { localName, fields } of type.oneofs) {
        const member = fields.find((field) => plain[plainName(field)] !== undefined);
        generated[localName] = member && {
          $case: member.localName,
          value: fieldAsGenerated(member, plain[plainName(member)]),
        };
      }
      return generated;
    }
  }
}

function fieldAsGenerated(field: DescField, value: unknown): unknown {
  if (field.fieldKind === "message") {
    return value === null || value === undefined ? undefined : asGenerated(field.message, value as PlainMessage);
  }
  if (field.fieldKind === "list" && field.listKind === "message") {
    return (value as PlainMessage[]).map((each) => asGenerated(field.message, each));
  }
  return field.fieldKind === "map" ? new Map(Object.entries(value as object)) : value;
}

function jsonOfFields(fields: Record<string, PlainMessage>): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, jsonOf(value)]));
}

function jsonOf(value: PlainMessage): unknown {
  if (value["nullValue"] !== undefined) return null;
  if (value["listValue"] !== undefined) return (value["listValue"] as { values: PlainMessage[] }).values.map(jsonOf);
  if (value["structValue"] !== undefined) {
    return jsonOfFields((value["structValue"] as { fields: Record<string, PlainMessage> }).fields);
  }
  return value["boolValue"] ?? value["numberValue"] ?? value["stringValue"];
}
