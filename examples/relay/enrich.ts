/** What the relay adds to a feature: its distance, and its size. */

import type { Location, ReceivedRecord } from "millrace";
import type { Feature } from "./relay-proto.js";

const earthRadiusKm = 6371;

/** A feature's record, seen from a place. Undefined: the record has no place. */
export function enrich(record: ReceivedRecord, from: Location): Feature | undefined {
  const { key, location, json } = record;
  if (location === undefined) return undefined;
  const { latitude, longitude } = location;
  const { name, population } = json ?? {};
  return {
    key,
    name: typeof name === "string" ? name : "",
    latitude,
    longitude,
    distanceKm: distanceKm(from, location),
    size: sizeOf(population),
  };
}

function sizeOf(population: unknown): Feature["size"] {
  if (typeof population !== "number") return "SIZE_CLASS_UNSPECIFIED";
  if (population < 10_000) return "SIZE_CLASS_VILLAGE";
  return population < 100_000 ? "SIZE_CLASS_TOWN" : "SIZE_CLASS_CITY";
}

/** On the sphere, by haversines. */
function distanceKm(one: Location, other: Location): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const north = Math.sin(radians(other.latitude - one.latitude) / 2);
  const east = Math.sin(radians(other.longitude - one.longitude) / 2);
  const cosines = Math.cos(radians(one.latitude)) * Math.cos(radians(other.latitude));
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(north * north + cosines * east * east)));
}
