/** GeoJSON features (RFC 7946) and records: `id` is the key, a point the location, `properties` the json body. */

import { type JsonObject, type ReceivedRecord, type RecordInput } from "../wire/index.js";
import { FileFormatError } from "./file-format-error.js";
import { isPlainObject, keyOfNumber, kindOf, type PlainObject } from "./json-value.js";
import { recordOfJson } from "./record-json.js";

export interface FeatureOptions {
  /** The property that becomes the key. Default: the feature's `id`. */
  readonly keyProperty?: string | undefined;
}

/** Fields of a record that GeoJSON does not have. A feature carries them as foreign members (RFC 7946, section 6.1). */
const ownMembers = ["attributes", "eventTime", "lifetime", "data", "text", "message"] as const;

/**
 * A record as a feature. Fields that GeoJSON does not have are foreign members. A record without a body has the member
 * `body: "none"`, because a feature without properties can also be a record with an empty json body.
 */
export function featureOfRecord(record: ReceivedRecord): JsonObject {
  const { key, location, attributes: _attributes, json, ...others } = record.toJSON();
  const feature: JsonObject = { type: "Feature" };
  if (key !== undefined) feature["id"] = key;
  feature["geometry"] = location === undefined ? null : pointOf(record);
  feature["properties"] = json ?? null;
  if (record.body === undefined) feature["body"] = "none";
  if (record.attributes.size > 0) feature["attributes"] = Object.fromEntries(record.attributes);
  return Object.assign(feature, others);
}

function pointOf({ location }: ReceivedRecord): JsonObject {
  return { type: "Point", coordinates: [location?.longitude ?? 0, location?.latitude ?? 0] };
}

/** A feature as a record. Throws a FileFormatError that names the part that a record cannot hold. */
export function recordOfFeature(feature: unknown, options: FeatureOptions, where: string): RecordInput {
  if (!isPlainObject(feature)) throw new FileFormatError(where, `must be a Feature, got ${kindOf(feature)}`);
  if (feature["type"] !== "Feature") {
    throw new FileFormatError(where, `must have the type Feature, got ${JSON.stringify(feature["type"]) ?? "none"}`);
  }
  const own = Object.fromEntries(
    ownMembers.filter((name) => Object.hasOwn(feature, name)).map((name) => [name, feature[name]]),
  );
  const record = recordOfJson(own, where);
  const hasBody = record.text !== undefined || record.data !== undefined || record.message !== undefined;
  return {
    ...record,
    key: keyOf(feature, options, where),
    location: locationOf(feature["geometry"], where),
    json: propertiesOf(feature, hasBody, where),
  };
}

function keyOf(feature: PlainObject, { keyProperty }: FeatureOptions, where: string): string {
  if (keyProperty === undefined) return keyText(feature["id"], "id", where);
  const properties = feature["properties"];
  const value =
    isPlainObject(properties) && Object.hasOwn(properties, keyProperty) ? properties[keyProperty] : undefined;
  return keyText(value, `properties.${keyProperty}`, where);
}

function keyText(value: unknown, name: string, where: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number") {
    const digits = keyOfNumber(value);
    if (digits !== undefined) return digits;
    throw new FileFormatError(where, `${name} has more digits than a JSON number can keep: write it as a text`);
  }
  throw new FileFormatError(where, `${name} must be a text or a number, got ${kindOf(value)}`);
}

function propertiesOf(feature: PlainObject, hasBody: boolean, where: string): object | undefined {
  const properties = feature["properties"];
  if (isPlainObject(properties)) return properties;
  if (properties !== undefined && properties !== null) {
    throw new FileFormatError(where, `properties must be an object or null, got ${kindOf(properties)}`);
  }
  return hasBody || feature["body"] === "none" ? undefined : {};
}

function locationOf(geometry: unknown, where: string): RecordInput["location"] {
  if (geometry === undefined || geometry === null) return undefined;
  if (!isPlainObject(geometry)) {
    throw new FileFormatError(where, `geometry must be an object or null, got ${kindOf(geometry)}`);
  }
  const { type, coordinates } = geometry;
  if (type !== "Point") {
    const text = `has a geometry of type ${JSON.stringify(type)}; a record's location is a Point: convert the geometries to centroids, or leave them out with --skip-bad`;
    throw new FileFormatError(where, text);
  }
  const [longitude, latitude] = Array.isArray(coordinates) ? (coordinates as unknown[]) : [];
  if (typeof longitude === "number" && typeof latitude === "number") return { latitude, longitude };
  throw new FileFormatError(where, "a Point must have coordinates [longitude, latitude], in degrees");
}
