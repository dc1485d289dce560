/** Converts between proto3 JSON and messages whose types are known only at run time. */

import {
  create,
  createFileRegistry,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJsonString,
  type JsonValue,
  type Message,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { isReflectMessage, reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import {
  type Any,
  AnySchema,
  BytesValueSchema,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { CommandError } from "./output.js";
import type { InputLine } from "./read-lines.js";

/** The bytes of a message from its proto3 JSON. Throws a CommandError that says what is wrong, and where. */
export function messageFromJson(registry: FileRegistry, type: DescMessage, line: InputLine): Uint8Array {
  return toBinary(type, parsed(registry, type, line));
}

function parsed(registry: FileRegistry, type: DescMessage, { text, where }: InputLine): Message {
  const read = (json: string): Message => {
    try {
      return fromJsonString(type, json, { registry });
    } catch (error) {
      throw new CommandError(`${where}: ${(error as Error).message}`, 2, error);
    }
  };
  const exact = read(replaceLongNumbers(text, (digits) => `"${digits}"`));
  const other = replaceLongNumbers(text, () => "1");
  if (other === text) return exact;
  // If more than texts differ, a long number is in a field of type double, which rounds it.
  const [one, another] = [exact, read(other)].map((each) => toJson(type, each, { registry }));
  if (one !== undefined && another !== undefined && isAlike(one, another)) return exact;
  throw new CommandError(`${where}: a whole number beyond 2^53 would be rounded in this field: write it as a text`, 2);
}

/** JSON.parse would round these numbers. As texts, which proto3 JSON also takes as numbers, they keep all digits. */
function replaceLongNumbers(text: string, replace: (digits: string) => string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? replace(token) : token,
  );
}

/** Whether two values differ only in the content of their texts. */
function isAlike(one: JsonValue, other: JsonValue): boolean {
  if (typeof one !== "object" || one === null || typeof other !== "object" || other === null) {
    return typeof one === "string" ? typeof other === "string" : one === other;
  }
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => isAlike(valueAt(one, name), valueAt(other, name)))
  );
}

function valueAt(json: object, name: string): JsonValue {
  return (json as { readonly [name: string]: JsonValue })[name] ?? null;
}

/** A message in proto3 JSON. An Any of an unknown type has its bytes in `value`. */
export function jsonOfMessage(registry: FileRegistry, type: DescMessage, bytes: Uint8Array): JsonValue {
  const message = fromBinary(type, bytes);
  const opaque = new Map<string, DescMessage>();
  wrapUnknownAnys(registry, opaque, reflect(type, message));
  const getMessage = (name: string): DescMessage | undefined => registry.getMessage(name) ?? opaque.get(name);
  const known = Object.create(registry, { getMessage: { value: getMessage } }) as FileRegistry;
  return toJson(type, message, { registry: known });
}

/** A type with this name and one field of bytes. */
function opaqueType(typeName: string): DescMessage | undefined {
  const dot = typeName.lastIndexOf(".");
  const value = {
    name: "value",
    jsonName: "value",
    number: 1,
    label: FieldDescriptorProto_Label.OPTIONAL,
    type: FieldDescriptorProto_Type.BYTES,
  };
  const file = create(FileDescriptorProtoSchema, {
    name: typeName,
    package: typeName.slice(0, Math.max(0, dot)),
    messageType: [{ name: typeName.slice(dot + 1), field: [value] }],
    syntax: "proto3",
  });
  return createFileRegistry(file, () => undefined).getMessage(typeName);
}

/**
 * proto3 JSON has no form for an Any of an unknown type. This defines a type of that name, with one field of bytes.
 */
function wrapUnknownAnys(registry: FileRegistry, opaque: Map<string, DescMessage>, message: ReflectMessage): void {
  if (message.desc.typeName === AnySchema.typeName) {
    const any = message.message as Any;
    const typeName = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
    if (typeName === "" || registry.getMessage(typeName) !== undefined) return;
    const type = opaque.get(typeName) ?? opaqueType(typeName);
    if (type === undefined) return;
    opaque.set(typeName, type);
    any.value = toBinary(BytesValueSchema, create(BytesValueSchema, { value: any.value }));
    return;
  }
  for (const field of message.sortedFields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") wrapUnknownAnys(registry, opaque, message.get(field));
    else if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of message.get(field)) if (isReflectMessage(item)) wrapUnknownAnys(registry, opaque, item);
    } else if (field.fieldKind === "map" && field.mapKind === "message") {
      for (const item of message.get(field).values())
        if (isReflectMessage(item)) wrapUnknownAnys(registry, opaque, item);
    }
  }
}
