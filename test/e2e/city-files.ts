import { writeFile } from "node:fs/promises";
import { cities } from "./cities.js";

/** A city of GeoNames, in the package's form. */
export interface City {
  readonly cityId: number;
  readonly name: string;
  readonly country: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [longitude: number, latitude: number] };
}

export const allCities = cities as readonly City[];

/** Writes the cities as a FeatureCollection: `id` is their number in GeoNames. */
export async function writeCitiesGeoJson(file: string, count = allCities.length): Promise<void> {
  await writeFile(file, pieces(geoJson(allCities.slice(0, count))));
}

/** Writes the cities as CSV, with the columns id, name, country, population, latitude, longitude. */
export async function writeCitiesCsv(file: string, count = allCities.length): Promise<void> {
  await writeFile(file, pieces(csv(allCities.slice(0, count))));
}

function* geoJson(list: readonly City[]): Generator<string> {
  yield '{"type":"FeatureCollection","features":[\n';
  for (const [index, { cityId, name, country, population, loc }] of list.entries()) {
    const geometry = { type: "Point", coordinates: loc.coordinates };
    const feature = { type: "Feature", id: String(cityId), geometry, properties: { name, country, population } };
    yield `${index === 0 ? "" : ",\n"}${JSON.stringify(feature)}`;
  }
  yield "\n]}\n";
}

function* csv(list: readonly City[]): Generator<string> {
  yield "id,name,country,population,latitude,longitude\r\n";
  for (const { cityId, name, country, population, loc } of list) {
    const [longitude, latitude] = loc.coordinates;
    yield `${cityId},"${name.replaceAll('"', '""')}",${country},${population},${latitude},${longitude}\r\n`;
  }
}

/** Joins lines: one write for each city would take a minute. */
function* pieces(lines: Iterable<string>): Generator<string> {
  let piece = "";
  for (const line of lines) {
    piece += line;
    if (piece.length < 65_536) continue;
    yield piece;
    piece = "";
  }
  yield piece;
}
