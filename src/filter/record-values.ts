/** The variables of a filter, read from a frame. */

import { isInside } from "../core/index.js";
import type { JsonValue, StoredRecord } from "../wire/index.js";
import type { Variable } from "./language.js";
import type { FilterNeeds } from "./needs.js";

/** What a filter sees of one record. */
export type RecordValues = Partial<Record<Variable, unknown>>;

/** Decodes only the variables that the filter names. */
export function valuesOf(record: StoredRecord, named: ReadonlySet<Variable>): RecordValues {
  const values: RecordValues = {};
  for (const name of named) values[name] = valueOf(record, name);
  return values;
}

function valueOf(record: StoredRecord, name: Variable): unknown {
  switch (name) {
    case "key":
      return record.key;
    case "attributes":
      return record.attributes;
    case "offset":
      return BigInt(record.offset);
    case "time":
      return new Date(Math.floor(record.timeMicros / 1000));
    case "event_time":
      return record.eventTime ?? null;
    case "location":
      return record.location ?? null;
    case "json": {
      const { json } = record;
      return json === undefined ? null : plainJson(json);
    }
    case "text":
      return record.text ?? null;
    case "size":
      return BigInt(record.size);
    default:
      return name satisfies never;
  }
}

/** A needed attribute, in UTF-8. */
export interface NeededAttribute {
  readonly name: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** Whether a record meets all needs, apart from attributes. */
export function hasNeeds(record: StoredRecord, needs: FilterNeeds): boolean {
  const { keys, keyPrefix, rectangle } = needs;
  if (needs.never) return false;
  if (needs.fromOffset !== undefined && record.offset < needs.fromOffset) return false;
  if (needs.untilOffset !== undefined && record.offset >= needs.untilOffset) return false;
  if (needs.fromTimeMicros !== undefined && record.timeMicros < needs.fromTimeMicros) return false;
  if (needs.untilTimeMicros !== undefined && record.timeMicros >= needs.untilTimeMicros) return false;
  if (keys !== undefined && !keys.includes(record.key)) return false;
  if (keyPrefix !== undefined && !record.key.startsWith(keyPrefix)) return false;
  return rectangle === undefined || (record.location !== undefined && isInside(record.location, rectangle));
}

/**
 * JSON for CEL's library, which recognises a value by its `constructor`. If an object has a field of that name, all objects
 * become Maps.
 */
function plainJson(value: JsonValue): unknown {
  return hasConstructor(value) ? asMaps(value) : value;
}

function hasConstructor(value: JsonValue): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasConstructor);
  return Object.hasOwn(value, "constructor") || Object.values(value).some(hasConstructor);
}

function asMaps(value: JsonValue): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(asMaps);
  return new Map(Object.entries(value).map(([name, each]) => [name, asMaps(each)]));
}

/** Counts the values in JSON at every depth. Stops early above `countMax`. */
export function countValues(json: unknown, countMax: number): number {
  let count = 0;
  const pending: unknown[] = [json];
  while (pending.length > 0 && count <= countMax) {
    const value = pending.pop();
    count += 1;
    if (typeof value !== "object" || value === null) continue;
    const children: Iterable<unknown> = value instanceof Map ? value.values() : Object.values(value);
    for (const child of children) {
      pending.push(child);
      if (pending.length > countMax) return pending.length;
    }
  }
  return count;
}
