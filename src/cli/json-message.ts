/**
 * Between proto3 JSON and the objects of proto-loader, which knows neither the well-known types' own JSON forms nor
 * that an unknown field is an error. Walks the descriptors that it gives, whose type names are relative.
 */

import type { MessageTypeDefinition, PackageDefinition } from "@grpc/proto-loader";
import { timestampText } from "../client/index.js";
import { CommandError } from "./output.js";

interface Field {
  readonly name: string;
  readonly label: string;
  readonly type: string;
  readonly typeName: string;
}

/** What this file reads of a DescriptorProto. */
interface Descriptor {
  readonly name: string;
  readonly field: readonly Field[];
  readonly nestedType: readonly Descriptor[];
  readonly options?: { readonly mapEntry?: boolean } | null;
}

interface Message {
  readonly fullName: string;
  readonly descriptor: Descriptor;
}

/** Well-known types whose JSON is not an object of their fields. */
const hasOwnForm = /^google\.protobuf\.(Any|Duration|FieldMask|ListValue|Struct|Timestamp|Value)$/;

type Plain = { [name: string]: unknown };

/** Converts in one direction. `message` is the type of `value`. */
type Convert = (definitions: PackageDefinition, message: Message, value: unknown, path: string) => unknown;

/** A message's proto3 JSON as the object that proto-loader encodes. Throws a CommandError that names the field. */
export function messageFromJson(definitions: PackageDefinition, type: string, json: unknown): object {
  return fromJson(definitions, messageOf(definitions, type), json, "") as object;
}

/** The object that proto-loader decoded as proto3 JSON. */
export function messageToJson(definitions: PackageDefinition, type: string, object: object): unknown {
  return toJson(definitions, messageOf(definitions, type), object, "");
}

const fromJson: Convert = (definitions, message, value, path) => {
  const known = wellKnownFromJson(definitions, message, value, path);
  if (known !== undefined) return known.value;
  if (!isPlain(value)) throw refused(path, `must be an object (${message.fullName})`);
  const object: Plain = {};
  for (const [name, each] of Object.entries(value)) {
    const fieldName = name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    const field = message.descriptor.field.find((candidate) => candidate.name === fieldName);
    if (field === undefined) throw refused(joined(path, name), `is no field of ${message.fullName}`);
    if (each !== null || field.typeName.endsWith("protobuf.Value")) {
      object[fieldName] = convertField(definitions, message, field, each, joined(path, name), fromJson);
    }
  }
  return object;
};

const toJson: Convert = (definitions, message, value, path) => {
  const object = value as Plain;
  const known = wellKnownToJson(definitions, message, object);
  if (known !== undefined) return known.value;
  const json: Plain = {};
  for (const field of message.descriptor.field) {
    const each = object[field.name];
    if (each === undefined || !Object.hasOwn(object, field.name)) continue;
    json[field.name] = convertField(definitions, message, field, each, joined(path, field.name), toJson);
  }
  return json;
};

function convertField(
  definitions: PackageDefinition,
  message: Message,
  field: Field,
  value: unknown,
  path: string,
  convert: Convert,
): unknown {
  const entry = mapEntryOf(message, field);
  const one = (type: Field, each: unknown, where: string): unknown => {
    if (type.type !== "TYPE_MESSAGE" && type.type !== "TYPE_GROUP") {
      if (convert === fromJson) checkScalar(type, each, where);
      return each;
    }
    return convert(definitions, resolve(definitions, message.fullName, message, type.typeName), each, where);
  };
  if (entry !== undefined) {
    if (!isPlain(value)) throw refused(path, "must be an object: it is a map");
    const valueField = entry.field.find(({ name }) => name === "value") as Field;
    const converted = Object.create(null) as Plain;
    for (const [key, each] of Object.entries(value)) converted[key] = one(valueField, each, joined(path, key));
    return converted;
  }
  if (field.label !== "LABEL_REPEATED") return one(field, value, path);
  if (!Array.isArray(value)) throw refused(path, "must be a list");
  return value.map((each, index) => one(field, each, `${path}[${index}]`));
}

function checkScalar({ type }: Field, value: unknown, path: string): void {
  if (type === "TYPE_STRING" || type === "TYPE_BYTES") {
    if (typeof value !== "string")
      throw refused(path, type === "TYPE_STRING" ? "must be a text" : "must be base64 text");
    if (!value.isWellFormed()) throw refused(path, "is a text with half of a surrogate pair");
  } else if (type === "TYPE_BOOL") {
    if (typeof value !== "boolean") throw refused(path, "must be true or false");
  } else if (type === "TYPE_ENUM") {
    if (typeof value !== "string" && !Number.isInteger(value)) throw refused(path, "must be an enum's name or number");
  } else if (type === "TYPE_DOUBLE" || type === "TYPE_FLOAT") {
    const isNamed = typeof value === "string" && /^(NaN|-?Infinity)$/.test(value);
    if (typeof value !== "number" && !isNamed) throw refused(path, "must be a number");
  } else {
    const isWhole = typeof value === "number" ? Number.isSafeInteger(value) : /^-?\d+$/.test(String(value));
    if (!isWhole) throw refused(path, "must be a whole number (above 2^53 as text)");
    if (type.startsWith("TYPE_U") || type.startsWith("TYPE_FIXED")) {
      if (String(value).startsWith("-")) throw refused(path, "must not be negative");
    }
  }
}

/** The JSON forms of well-known types; undefined for all others. */
function wellKnownFromJson(
  definitions: PackageDefinition,
  { fullName }: Message,
  value: unknown,
  path: string,
): { readonly value: unknown } | undefined {
  switch (fullName) {
    case "google.protobuf.Timestamp":
      return { value: timestampFromText(value, path) };
    case "google.protobuf.Duration":
      return { value: durationFromText(value, path) };
    case "google.protobuf.FieldMask":
      if (typeof value !== "string") throw refused(path, 'must be a text such as "labels,limits.recordBytes"');
      return { value: { paths: value === "" ? [] : value.split(",").map(snakeCase) } };
    case "google.protobuf.Struct":
      if (!isPlain(value)) throw refused(path, "must be an object");
      return { value: structFromJson(value) };
    case "google.protobuf.ListValue":
      if (!Array.isArray(value)) throw refused(path, "must be a list");
      return { value: { values: value.map(valueFromJson) } };
    case "google.protobuf.Value":
      return { value: valueFromJson(value) };
    case "google.protobuf.Any":
      return { value: anyFromJson(definitions, value, path) };
    default:
      return undefined;
  }
}

function wellKnownToJson(
  definitions: PackageDefinition,
  { fullName }: Message,
  object: Plain,
): { readonly value: unknown } | undefined {
  switch (fullName) {
    case "google.protobuf.Timestamp":
      return {
        value: timestampText({ seconds: Number(object["seconds"] ?? 0), nanos: Number(object["nanos"] ?? 0) }),
      };
    case "google.protobuf.Duration":
      return { value: durationText(Number(object["seconds"] ?? 0), Number(object["nanos"] ?? 0)) };
    case "google.protobuf.FieldMask":
      return { value: ((object["paths"] as string[] | undefined) ?? []).join(",") };
    case "google.protobuf.Struct":
      return { value: structToJson(object) };
    case "google.protobuf.ListValue":
      return { value: listToJson(object) };
    case "google.protobuf.Value":
      return { value: valueToJson(object) };
    case "google.protobuf.Any":
      return { value: anyToJson(definitions, object) };
    default:
      return undefined;
  }
}

function timestampFromText(value: unknown, path: string): object {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(String(value));
  const ms = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms)) throw refused(path, "must be a time such as 2026-05-01T12:00:00Z");
  return { seconds: ms / 1000, nanos: Number((match?.[2] ?? "").padEnd(9, "0")) };
}

function durationFromText(value: unknown, path: string): object {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?s$/.exec(String(value));
  if (match === null) throw refused(path, 'must be a duration such as "1.5s"');
  const sign = match[1] === "-" ? -1 : 1;
  return { seconds: sign * Number(match[2]), nanos: sign * Number((match[3] ?? "").padEnd(9, "0")) };
}

function durationText(seconds: number, nanos: number): string {
  const sign = seconds < 0 || nanos < 0 ? "-" : "";
  const fraction = nanos === 0 ? "" : `.${String(Math.abs(nanos)).padStart(9, "0").replace(/0+$/, "")}`;
  return `${sign}${Math.abs(seconds)}${fraction}s`;
}

function structFromJson(value: Plain): object {
  const fields = Object.create(null) as Plain;
  for (const [name, each] of Object.entries(value)) fields[name] = valueFromJson(each);
  return { fields };
}

function valueFromJson(value: unknown): object {
  if (value === null) return { nullValue: 0 };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (Array.isArray(value)) return { listValue: { values: value.map(valueFromJson) } };
  return { structValue: structFromJson(value as Plain) };
}

function structToJson(object: Plain): Plain {
  const json = Object.create(null) as Plain;
  for (const [name, value] of Object.entries((object["fields"] as Plain | undefined) ?? {})) {
    json[name] = valueToJson(value as Plain);
  }
  return json;
}

function listToJson(object: Plain): unknown[] {
  return ((object["values"] as Plain[] | undefined) ?? []).map(valueToJson);
}

function valueToJson(object: Plain): unknown {
  if ("structValue" in object) return structToJson(object["structValue"] as Plain);
  if ("listValue" in object) return listToJson(object["listValue"] as Plain);
  return object["stringValue"] ?? object["numberValue"] ?? object["boolValue"] ?? null;
}

/** The type's own fields beside `@type` where the type is known; its bytes otherwise. */
function anyFromJson(definitions: PackageDefinition, value: unknown, path: string): object {
  if (!isPlain(value) || typeof value["@type"] !== "string") throw refused(path, 'must be an object with "@type"');
  const { "@type": typeUrl, ...rest } = value;
  const definition = definitions[typeNameOf(String(typeUrl))];
  if (definition === undefined || !isMessage(definition)) {
    if (typeof rest["value"] !== "string") {
      throw refused(path, `${String(typeUrl)} is unknown here: give its bytes as base64 in "value"`);
    }
    return { ...bothNames(String(typeUrl)), value: rest["value"] };
  }
  const type = typeNameOf(String(typeUrl));
  // A type with a JSON form of its own has it in "value".
  const message = messageFromJson(definitions, type, hasOwnForm.test(type) ? rest["value"] : rest);
  return { ...bothNames(String(typeUrl)), value: definition.serialize(message).toString("base64") };
}

/** The definition of Any that protobufjs brings along has this one name in snake case; one that is loaded has not. */
function bothNames(typeUrl: string): object {
  return { typeUrl, type_url: typeUrl };
}

function anyToJson(definitions: PackageDefinition, object: Plain): Plain {
  const any = object as { readonly typeUrl?: string; readonly type_url?: string; readonly value?: string };
  const typeUrl = any.typeUrl ?? any.type_url ?? "";
  const bytes = any.value ?? "";
  const definition = definitions[typeNameOf(typeUrl)];
  if (definition === undefined || !isMessage(definition)) return { "@type": typeUrl, value: bytes };
  const message = definition.deserialize(Buffer.from(bytes, "base64"));
  const json = messageToJson(definitions, typeNameOf(typeUrl), message);
  return isPlain(json) && !hasOwnForm.test(typeNameOf(typeUrl))
    ? { "@type": typeUrl, ...json }
    : { "@type": typeUrl, value: json };
}

function typeNameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

function isMessage(definition: PackageDefinition[string]): definition is MessageTypeDefinition<object, object> {
  return "serialize" in definition && "type" in definition;
}

function messageOf(definitions: PackageDefinition, fullName: string): Message {
  const definition = definitions[fullName];
  if (definition === undefined || !isMessage(definition)) throw new CommandError(`There is no message ${fullName}`);
  return { fullName, descriptor: definition.type as unknown as Descriptor };
}

/** Finds a type by a name that is relative to a message: inside it, beside it, or further out. */
function resolve(definitions: PackageDefinition, scope: string, message: Message, typeName: string): Message {
  const nested = message.descriptor.nestedType.find(({ name }) => name === typeName);
  if (nested !== undefined) return { fullName: `${scope}.${typeName}`, descriptor: nested };
  const name = typeName.replace(/^\./, "");
  for (let prefix = scope; ; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf(".")))) {
    const found = findNested(definitions, prefix === "" ? name : `${prefix}.${name}`);
    if (found !== undefined) return found;
    if (prefix === "") throw new CommandError(`There is no message ${typeName}, which ${scope} uses`);
  }
}

/** A message by its full name, inside others too. */
function findNested(definitions: PackageDefinition, fullName: string): Message | undefined {
  const definition = definitions[fullName];
  if (definition !== undefined && isMessage(definition)) {
    return { fullName, descriptor: definition.type as unknown as Descriptor };
  }
  const dot = fullName.lastIndexOf(".");
  if (dot === -1) return undefined;
  const outer = findNested(definitions, fullName.slice(0, dot));
  const descriptor = outer?.descriptor.nestedType.find(({ name }) => name === fullName.slice(dot + 1));
  return descriptor === undefined ? undefined : { fullName, descriptor };
}

function mapEntryOf({ descriptor }: Message, field: Field): Descriptor | undefined {
  if (field.label !== "LABEL_REPEATED" || field.type !== "TYPE_MESSAGE") return undefined;
  const names = [field.typeName, `${field.typeName}Entry`];
  return descriptor.nestedType.find((each) => names.includes(each.name) && each.options?.mapEntry === true);
}

function isPlain(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function snakeCase(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function refused(path: string, description: string): CommandError {
  return new CommandError(`${path === "" ? "The request" : path}: ${description}`, 2);
}
