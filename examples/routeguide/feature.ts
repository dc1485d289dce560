/** A feature in the tutorial's file, and in the route guide: the record of its place. */

import type { RecordInput } from "millrace";

/** In degrees times 10 to the 7th. */
interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

export interface Feature {
  /** Empty: the place is known to have no name. */
  readonly name: string;
  readonly location: Point;
}

/** Reads the tutorial's file: a JSON list. Throws if it is not one. */
export function featuresOf(text: string): Feature[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error("It is no list of features");
  return list.map((each: unknown, index) => {
    const { name, location } = (each ?? {}) as Partial<Feature>;
    const { latitude, longitude } = location ?? {};
    if (typeof name === "string" && isWhole(latitude) && isWhole(longitude)) {
      return { name, location: { latitude, longitude } };
    }
    throw new Error(`Feature ${index} has no name, or no location of whole numbers`);
  });
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

export function keyOf({ location }: Feature): string {
  return `${location.latitude},${location.longitude}`;
}

export function recordOf(feature: Feature): RecordInput {
  const { latitude, longitude } = feature.location;
  return {
    key: keyOf(feature),
    text: feature.name,
    location: { latitude: latitude / 1e7, longitude: longitude / 1e7 },
  };
}
