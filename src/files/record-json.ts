/** Records in proto3 JSON, as `millrace read --json` prints them and `ReceivedRecord.toJSON()` returns them. */

import { durationOfText, msOfDuration, type RecordInput, timestampOfText } from "../wire/index.js";
import { FileFormatError } from "./file-format-error.js";
import { isPlainObject, kindOf, type PlainObject } from "./json-value.js";

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

const fieldNames = "key, attributes, data, text, json, message, location, eventTime, lifetime";

/**
 * Reads a record. Throws a FileFormatError that names the field. Ignores `time` and `offset`, which the server stamps.
 */
export function recordOfJson(value: unknown, where: string): RecordInput {
  if (!isPlainObject(value)) throw new FileFormatError(where, `must be a JSON object, got ${kindOf(value)}`);
  const record: Mutable<RecordInput> = {};
  for (const [name, field] of Object.entries(value)) {
    // In proto3 JSON, null means unset.
    if (field !== null) readField(record, name, field, where);
  }
  return record;
}

/** Positional parameters: called once a field of a record. */
function readField(record: Mutable<RecordInput>, name: string, value: unknown, where: string): void {
  switch (name) {
    case "key":
      record.key = textOf(value, name, where);
      return;
    case "attributes":
      record.attributes = attributesOf(value, where);
      return;
    case "data":
      record.data = bytesOf(value, name, where);
      return;
    case "text":
      record.text = textOf(value, name, where);
      return;
    case "json":
      if (!isPlainObject(value)) throw new FileFormatError(where, `json must be an object, got ${kindOf(value)}`);
      record.json = value;
      return;
    case "message":
      record.message = messageOf(value, where);
      return;
    case "location":
      record.location = locationOf(value, where);
      return;
    case "eventTime":
    case "event_time":
      record.eventTimestamp = timeOf(value, name, where);
      return;
    case "lifetime":
      record.lifetimeMs = lifetimeOf(value, where);
      return;
    case "time":
    case "offset":
      return;
    default:
      throw new FileFormatError(where, `${JSON.stringify(name)} is not a field of a record (${fieldNames})`);
  }
}

function textOf(value: unknown, name: string, where: string): string {
  if (typeof value === "string") return value;
  throw new FileFormatError(where, `${name} must be a text, got ${kindOf(value)}`);
}

export function attributesOf(value: unknown, where: string): ReadonlyMap<string, string> {
  if (!isPlainObject(value)) throw new FileFormatError(where, `attributes must be an object, got ${kindOf(value)}`);
  return new Map(Object.entries(value).map(([name, each]) => [name, textOf(each, `attributes.${name}`, where)]));
}

export function bytesOf(value: unknown, name: string, where: string): Uint8Array {
  const text = textOf(value, name, where);
  if (/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return Buffer.from(text, "base64");
  throw new FileFormatError(where, `${name} must be base64`);
}

export function messageOf(value: unknown, where: string): NonNullable<RecordInput["message"]> {
  if (!isPlainObject(value)) throw new FileFormatError(where, `message must be an object, got ${kindOf(value)}`);
  return {
    typeUrl: textOf(value["@type"], "message.@type", where),
    value: bytesOf(value["value"] ?? "", "message.value", where),
  };
}

function locationOf(value: unknown, where: string): NonNullable<RecordInput["location"]> {
  if (!isPlainObject(value)) throw new FileFormatError(where, `location must be an object, got ${kindOf(value)}`);
  return { latitude: degreesOf(value, "latitude", where), longitude: degreesOf(value, "longitude", where) };
}

function degreesOf(location: PlainObject, name: string, where: string): number {
  // In proto3 JSON, an absent number is 0.
  const value = location[name] ?? 0;
  if (typeof value === "number") return value;
  throw new FileFormatError(where, `location.${name} must be a number, got ${kindOf(value)}`);
}

export function timeOf(value: unknown, name: string, where: string): NonNullable<RecordInput["eventTimestamp"]> {
  const time = typeof value === "string" ? timestampOfText(value) : undefined;
  if (time !== undefined) return time;
  const got = typeof value === "string" ? JSON.stringify(value.slice(0, 50)) : kindOf(value);
  throw new FileFormatError(where, `${name} must be a time such as 2026-05-01T12:00:00Z, got ${got}`);
}

export function lifetimeOf(value: unknown, where: string): number {
  const lifetime = typeof value === "string" ? durationOfText(value) : undefined;
  if (lifetime !== undefined) return msOfDuration(lifetime);
  throw new FileFormatError(where, `lifetime must be seconds such as "3600s" or "0.5s", got ${kindOf(value)}`);
}
