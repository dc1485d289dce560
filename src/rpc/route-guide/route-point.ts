/** Places of the route guide: whole numbers of E7, degrees times 10 to the 7th, and what records have in their stead. */

import { invalidArgument } from "../../core/index.js";
import type { Point } from "../../gen/routeguide/route_guide.js";

/** E7 a degree. */
export const unitsPerDegree = 1e7;

export const latitudeMax = 90 * unitsPerDegree;
export const longitudeMax = 180 * unitsPerDegree;

/** The point, or `invalid-argument`. Unset is (0, 0), as Protobuf has it. `field` is its path; empty: the request itself. */
export function checkPoint(point: Point | undefined, field = ""): Point {
  const { latitude, longitude } = point ?? { latitude: 0, longitude: 0 };
  const path = field === "" ? "" : `${field}.`;
  checkCoordinate(latitude, latitudeMax, `${path}latitude`);
  checkCoordinate(longitude, longitudeMax, `${path}longitude`);
  return { latitude, longitude };
}

function checkCoordinate(value: number, most: number, field: string): void {
  if (Math.abs(value) <= most) return;
  throw invalidArgument(field, `must be from -${most} to ${most}, in degrees times 10 to the 7th, got ${value}`);
}

/** The key of what is at a place. */
export function keyOfPoint({ latitude, longitude }: Point): string {
  return `${latitude},${longitude}`;
}

/** The place of a key; undefined where it is none: anybody may publish to these topics, with any key. */
export function pointOfKey(key: string): Point | undefined {
  const match = /^(-?\d{1,9}),(-?\d{1,10})$/.exec(key);
  if (match === null) return undefined;
  const point = { latitude: Number(match[1]), longitude: Number(match[2]) };
  const isPlace = Math.abs(point.latitude) <= latitudeMax && Math.abs(point.longitude) <= longitudeMax;
  // "007,-0" would be the same place under another key.
  return isPlace && keyOfPoint(point) === key ? point : undefined;
}

/** A place as records have it. */
export function locationOfPoint({ latitude, longitude }: Point): {
  readonly latitude: number;
  readonly longitude: number;
} {
  return { latitude: latitude / unitsPerDegree, longitude: longitude / unitsPerDegree };
}
