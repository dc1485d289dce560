import { invalidArgument } from "./errors.js";

/**
 * A part of the Earth between two parallels and two meridians, in degrees, WGS 84; its edges belong to it. With `east`
 * below `west` it crosses the antimeridian.
 */
export interface Rectangle {
  readonly south: number;
  readonly west: number;
  readonly north: number;
  readonly east: number;
}

/** Returns the rectangle, or throws `invalid-argument`. `field` is its path as written in proto. */
export function checkRectangle(rectangle: Rectangle, field = "rectangle"): Rectangle {
  const { south, west, north, east } = rectangle;
  for (const [name, value, max] of [
    ["south", south, 90],
    ["north", north, 90],
    ["west", west, 180],
    ["east", east, 180],
  ] as const) {
    // Written so that NaN fails too.
    if (!(Math.abs(value) <= max)) throw invalidArgument(`${field}.${name}`, `must be -${max} to ${max}, got ${value}`);
  }
  if (north < south) {
    throw invalidArgument(`${field}.north`, `must not be below south, ${south}, got ${north}`);
  }
  return rectangle;
}

export function isInside(
  place: { readonly latitude: number; readonly longitude: number },
  rectangle: Rectangle,
): boolean {
  const { latitude, longitude } = place;
  const { south, west, north, east } = rectangle;
  if (!(latitude >= south && latitude <= north)) return false;
  if (west <= east) return longitude >= west && longitude <= east;
  return longitude >= west || longitude <= east;
}
