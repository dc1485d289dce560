/**
 * Places of the route guide: whole numbers in E7 units, that is, degrees times 10^7. Also as keys and locations of
 * records.
 */

import { invalidArgument } from "../../core/index.js";
import type { Point } from "../../gen/routeguide/route_guide.js";

export const unitsPerDegree = 1e7;

export const latitudeMax = 90 * unitsPerDegree;
export const longitudeMax = 180 * unitsPerDegree;

/** Checks a point; unset is (0, 0), as in Protobuf. `field` is its path; empty means the request itself. */
export function checkPoint(point: Point | undefined, field = ""): Point {
  const { latitude, longitude } = point ?? { latitude: 0, longitude: 0 };
  const path = field === "" ? "" : `${field}.`;
  checkCoordinate(latitude, latitudeMax, `${path}latitude`);
  checkCoordinate(longitude, longitudeMax, `${path}longitude`);
  return { latitude, longitude };
}

function checkCoordinate(value: number, max: number, field: string): void {
  if (Math.abs(value) <= max) return;
  throw invalidArgument(field, `must be from -${max} to ${max}, in degrees times 10 to the 7th, got ${value}`);
}

/** The key of records at a place. */
export function keyOfPoint({ latitude, longitude }: Point): string {
  return `${latitude},${longitude}`;
}

/** The place of a key; undefined if the key is not a place. Anybody may publish any key to these topics. */
export function pointOfKey(key: string): Point | undefined {
  const match = /^(-?\d{1,9}),(-?\d{1,10})$/.exec(key);
  if (match === null) return undefined;
  const point = { latitude: Number(match[1]), longitude: Number(match[2]) };
  const isPlace = Math.abs(point.latitude) <= latitudeMax && Math.abs(point.longitude) <= longitudeMax;
  // Refuses other spellings of the same place, such as "007,-0".
  return isPlace && keyOfPoint(point) === key ? point : undefined;
}

/** A place as the location of a record. */
export function locationOfPoint({ latitude, longitude }: Point): {
  readonly latitude: number;
  readonly longitude: number;
} {
  return { latitude: latitude / unitsPerDegree, longitude: longitude / unitsPerDegree };
}
