/** The summary of a route, computed as its points arrive. */

import type { Point, RouteSummary } from "../../gen/routeguide/route_guide.js";
import type { Clock } from "../../telemetry/index.js";
import type { RouteFeatures } from "./route-features.js";
import { checkPoint, keyOfPoint, locationOfPoint } from "./route-point.js";

/** How many points are held and looked up together. */
const lookupPoints = 100;

/** The tutorial's value, in metres. */
const earthRadius = 6_371_000;

const int32Max = 2 ** 31 - 1;

/** Summarizes the points until they end. Its memory does not grow with the route. */
export async function summarizeRoute(
  points: AsyncIterable<Point>,
  features: RouteFeatures,
  clock: Pick<Clock, "monotonicMs">,
  signal: AbortSignal,
): Promise<RouteSummary> {
  const startedAtMs = clock.monotonicMs();
  let pointCount = 0;
  let featureCount = 0;
  let distance = 0;
  let last: Point | undefined;
  let keys: string[] = [];
  const lookUp = async () => {
    if (keys.length === 0) return;
    const names = await features.namesAt(keys, signal);
    featureCount += keys.filter((key) => names.has(key)).length;
    keys = [];
  };
  for await (const each of points) {
    const point = checkPoint(each);
    pointCount += 1;
    if (last !== undefined) distance += distanceBetween(last, point);
    last = point;
    keys.push(keyOfPoint(point));
    if (keys.length === lookupPoints) await lookUp();
  }
  await lookUp();
  return {
    pointCount: toInt32(pointCount),
    featureCount: toInt32(featureCount),
    distance: toInt32(distance),
    elapsedTime: toInt32((clock.monotonicMs() - startedAtMs) / 1000),
  };
}

/** The distance on the sphere in metres, by the haversine formula. */
export function distanceBetween(from: Point, to: Point): number {
  const [start, end] = [locationOfPoint(from), locationOfPoint(to)];
  const latitudeHalf = radians(end.latitude - start.latitude) / 2;
  const longitudeHalf = radians(end.longitude - start.longitude) / 2;
  const chord =
    Math.sin(latitudeHalf) ** 2 +
    Math.cos(radians(start.latitude)) * Math.cos(radians(end.latitude)) * Math.sin(longitudeHalf) ** 2;
  // For opposite points, rounding can make `chord` slightly more than 1.
  return 2 * earthRadius * Math.atan2(Math.sqrt(chord), Math.sqrt(Math.max(0, 1 - chord)));
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** Rounds down and limits to the field's range. */
function toInt32(value: number): number {
  return Math.min(Math.floor(value), int32Max);
}
