/** Features with places: real ones, those on the edges of the map, and changes of them. */

import type { Location, Rectangle } from "../../src/index.js";
import { oneOf, type Random, wholeNumberBetween } from "../support/soak.js";
import { cities } from "./cities.js";

export interface Feature {
  readonly key: string;
  readonly text: string;
  readonly location: Location | undefined;
}

/** A change of a feature: a record without a text removes it. */
export interface Change {
  readonly key: string;
  readonly text: string | undefined;
  readonly location: Location | undefined;
}

export const alps: Rectangle = { south: 43.5, west: 5, north: 48.5, east: 17 };

/** Where errors at edges would show. Fiji and the strip cross the antimeridian. */
const edgeRectangles: readonly Rectangle[] = [
  alps,
  { south: -21, west: 176, north: -12, east: -178 },
  { south: -90, west: 179.5, north: 90, east: -179.5 },
  { south: 89, west: -180, north: 90, east: 180 },
  { south: -90, west: -180, north: -89.5, east: 180 },
  { south: -90, west: -180, north: 90, east: 180 },
  { south: 0, west: 0, north: 0, east: 0 },
  { south: 90, west: 180, north: 90, east: 180 },
  { south: -90, west: -180, north: -90, east: -180 },
  { south: -90, west: 180, north: 90, east: -180 },
  { south: 10, west: 20, north: 10, east: -20 },
];

/** One of `every` cities, and places on the edges of the map. */
export function featuresOf(every: number): Feature[] {
  const chosen = cities.filter((_, index) => index % every === 0) as unknown as readonly {
    readonly cityId: number;
    readonly name: string;
    readonly loc: { readonly coordinates: readonly [number, number] };
  }[];
  const features: Feature[] = chosen.map(({ cityId, name, loc }) => ({
    key: `city/${cityId}`,
    text: name,
    location: { latitude: loc.coordinates[1], longitude: loc.coordinates[0] },
  }));
  for (const latitude of [-90, -89.75, 0, 89.75, 90]) {
    for (const longitude of [-180, -179.75, -20, 0, 20, 179.75, 180]) {
      features.push({ key: `edge/${latitude}/${longitude}`, text: "edge", location: { latitude, longitude } });
    }
  }
  features.push({ key: "nowhere", text: "nowhere", location: undefined });
  return features;
}

/** Inside a rectangle, its edges included; one whose west is east of its east crosses the antimeridian. */
export function isInside({ south, west, north, east }: Rectangle, location: Location | undefined): boolean {
  if (location === undefined) return false;
  const { latitude, longitude } = location;
  if (latitude < south || latitude > north) return false;
  return west <= east ? longitude >= west && longitude <= east : longitude >= west || longitude <= east;
}

/** The edges of the map, points with a feature, and rectangles of any size, half of them across the antimeridian. */
export function rectanglesFor(random: Random, features: readonly Feature[], count: number): Rectangle[] {
  const drawn = Array.from({ length: count }, (_, index): Rectangle => {
    const { location } = features[wholeNumberBetween(random, 0, features.length - 1)] ?? {};
    if (location !== undefined && index % 4 === 0) return around(location, 0);
    if (location !== undefined && index % 4 === 1) return around(location, random() * 5);
    const [one, other] = [random() * 180 - 90, random() * 180 - 90];
    const [west, east] = [random() * 360 - 180, random() * 360 - 180];
    return { south: Math.min(one, other), west, north: Math.max(one, other), east };
  });
  return [...edgeRectangles, ...drawn];
}

/** A rectangle of this many degrees around a place; it crosses the antimeridian if that is near. */
function around({ latitude, longitude }: Location, degrees: number): Rectangle {
  const turned = (angle: number) => (angle < -180 ? angle + 360 : angle > 180 ? angle - 360 : angle);
  return {
    south: Math.max(-90, latitude - degrees),
    west: turned(longitude - degrees),
    north: Math.min(90, latitude + degrees),
    east: turned(longitude + degrees),
  };
}

/** The latest record of each key, as the database should have it. */
export class FeatureModel {
  readonly #features = new Map<string, Feature>();

  constructor(features: readonly Feature[]) {
    for (const feature of features) this.apply(feature);
  }

  apply({ key, text, location }: Change): void {
    if (text === undefined) this.#features.delete(key);
    else this.#features.set(key, { key, text, location });
  }

  /** The texts of the features inside, by key. */
  inside(rectangle: Rectangle): Map<string, string> {
    const inside = [...this.#features.values()].filter(({ location }) => isInside(rectangle, location));
    return new Map(inside.map(({ key, text }) => [key, text]));
  }
}

/** Makes some hundred records fill the smallest page, and a small window. */
const padding = ".".repeat(400);

/** Moves of `keys` features into, within and out of the rectangle, removals, and records without a place. */
export function changesAround(rectangle: Rectangle, keys: number, random: Random): (number: number) => Change {
  const between = (low: number, high: number) => low + random() * (high - low);
  const inside = () => ({
    latitude: between(rectangle.south, rectangle.north),
    longitude: between(rectangle.west, rectangle.east),
  });
  const anywhere = () => ({ latitude: between(-90, 90), longitude: between(-180, 180) });
  return (number) => {
    const key = `moving/${wholeNumberBetween(random, 1, keys)}`;
    const text = `change ${number} ${padding}`;
    switch (oneOf(random, ["inside", "inside", "inside", "anywhere", "anywhere", "removed", "nowhere"])) {
      case "inside":
        return { key, text, location: inside() };
      case "anywhere":
        return { key, text, location: anywhere() };
      case "removed":
        return { key, text: undefined, location: undefined };
      default:
        return { key, text, location: undefined };
    }
  };
}
