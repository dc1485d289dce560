/** gRPC's tutorial service as a view of two topics: `proto/spoken/routeguide/route_guide.proto` describes their use. */

import type { Limits } from "../../core/index.js";
import type { Engine } from "../../engine/index.js";
import { RouteGuideService as Shapes } from "../../gen/routeguide/route_guide.js";
import type { Clock } from "../../telemetry/index.js";
import { bidiStreaming } from "../bidi-streaming.js";
import type { Calls } from "../calls.js";
import { clientStreaming } from "../client-streaming.js";
import type { Method } from "../method.js";
import { routeChat } from "./route-chat.js";
import { routeFeatures } from "./route-features.js";
import { decodeNote } from "./route-note.js";
import { checkPoint, keyOfPoint } from "./route-point.js";
import { summarizeRoute } from "./route-summary.js";
import { serverStreaming } from "../server-streaming.js";
import { unary } from "../unary.js";

/** The topics of the route guide. */
export interface RouteGuideTopics {
  /** A keyed topic. */
  readonly features: string;
  /** A topic without state; the first note creates it. */
  readonly notes: string;
}

export const defaultRouteGuideTopics: RouteGuideTopics = {
  features: "route-guide/features",
  notes: "route-guide/notes",
};

export interface RouteGuideParts {
  readonly engine: Engine;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly topics: RouteGuideTopics;
}

export function routeGuideService(calls: Calls, parts: RouteGuideParts): readonly Method[] {
  const { engine, limits, clock, topics } = parts;
  const features = routeFeatures(engine, topics.features);
  return [
    unary(calls, Shapes.getFeature, async (request, context) => {
      context.stream.topic = topics.features;
      const location = checkPoint(request);
      const key = keyOfPoint(location);
      const names = await features.namesAt([key], context.signal);
      return { name: names.get(key) ?? "", location };
    }),
    serverStreaming(
      calls,
      {
        path: Shapes.listFeatures.path,
        requestDeserialize: Shapes.listFeatures.requestDeserialize,
        responseSerialize: Shapes.listFeatures.responseSerialize,
        recordsIn: () => 1,
      },
      (request, context) => {
        context.stream.topic = topics.features;
        return features.list(request, context);
      },
    ),
    clientStreaming(calls, Shapes.recordRoute, (points, context) => {
      context.stream.topic = topics.features;
      return summarizeRoute(points, features, clock, context.signal);
    }),
    bidiStreaming(
      calls,
      {
        path: Shapes.routeChat.path,
        requestDeserialize: decodeNote,
        responseSerialize: Shapes.routeChat.responseSerialize,
        recordsIn: () => 1,
      },
      (notes, context) => {
        context.stream.topic = topics.notes;
        return routeChat({ engine, topic: topics.notes, limits }, notes, context);
      },
    ),
  ];
}
