/** The features of the route guide: the state of a keyed topic, whose keys are places and whose texts are names. */

import { MillraceError, type Rectangle as DegreeRectangle } from "../../core/index.js";
import type { Engine, ListPage, PageMessage } from "../../engine/index.js";
import type { Feature, Point, Rectangle } from "../../gen/routeguide/route_guide.js";
import { decodeFrames, type ReceivedRecord } from "../../wire/index.js";
import type { MethodContext } from "../method.js";
import { checkPoint, keyOfPoint, latitudeMax, longitudeMax, pointOfKey, unitsPerDegree } from "./route-point.js";

export interface RouteFeatures {
  /** The names of features at places, by the places' keys. Places without a name are left out. */
  namesAt(keys: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** The named features inside. A topic that does not exist has no features. */
  list(rectangle: Rectangle, context: MethodContext): AsyncGenerator<Feature, void, undefined>;
}

export function routeFeatures(engine: Pick<Engine, "getState" | "listState">, topic: string): RouteFeatures {
  return {
    async namesAt(keys, signal) {
      const names = new Map<string, string>();
      try {
        const page = await engine.getState({ topic, keys }, signal);
        for (const { name, location } of featuresIn(page)) names.set(keyOfPoint(location), name);
      } catch (error) {
        if (!isMissingTopic(error)) throw error;
      }
      return names;
    },
    async *list(rectangle, context) {
      const box = boxOf(rectangle);
      const command = {
        topic,
        keyPrefix: "",
        rectangle: degreesAround(box),
        filter: undefined,
        afterKey: "",
        limit: 0,
      };
      let pages: AsyncGenerator<ListPage, void, undefined> | undefined;
      try {
        pages = engine.listState(command, context.stream, context.signal);
        for await (const page of pages) {
          for (const feature of featuresIn(page)) if (isInBox(feature.location, box)) yield feature;
        }
      } catch (error) {
        if (!isMissingTopic(error)) throw error;
      }
    },
  };
}

interface NamedFeature extends Feature {
  readonly location: Point;
}

function* featuresIn({ runs }: PageMessage): Generator<NamedFeature> {
  for (const record of decodeFrames(runs)) {
    const feature = featureOf(record);
    if (feature !== undefined) yield feature;
  }
}

/** Undefined: it has no name, or its key is not a place. */
function featureOf({ key, text = "" }: ReceivedRecord): NamedFeature | undefined {
  const location = pointOfKey(key);
  return location === undefined || text === "" ? undefined : { name: text, location };
}

interface Box {
  readonly south: number;
  readonly west: number;
  readonly north: number;
  readonly east: number;
}

function boxOf(rectangle: Rectangle): Box {
  const lo = checkPoint(rectangle.lo, "lo");
  const hi = checkPoint(rectangle.hi, "hi");
  return {
    south: Math.min(lo.latitude, hi.latitude),
    west: Math.min(lo.longitude, hi.longitude),
    north: Math.max(lo.latitude, hi.latitude),
    east: Math.max(lo.longitude, hi.longitude),
  };
}

/** The rectangle for the database: a unit wider, because the degrees of a feature's location may be rounded. */
function degreesAround({ south, west, north, east }: Box): DegreeRectangle {
  return {
    south: Math.max(south - 1, -latitudeMax) / unitsPerDegree,
    west: Math.max(west - 1, -longitudeMax) / unitsPerDegree,
    north: Math.min(north + 1, latitudeMax) / unitsPerDegree,
    east: Math.min(east + 1, longitudeMax) / unitsPerDegree,
  };
}

function isInBox({ latitude, longitude }: Point, { south, west, north, east }: Box): boolean {
  return latitude >= south && latitude <= north && longitude >= west && longitude <= east;
}

function isMissingTopic(error: unknown): boolean {
  return error instanceof MillraceError && error.code === "topic-not-found";
}
