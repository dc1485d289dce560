/**
 * The standard health service, on this room's adapters. `grpc-health-check` gives only its definition: its
 * implementation writes to watchers without waiting and never ends their streams, so every drain would need force
 * (grpc-js.md #15).
 */

import { status } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { Watch } from "../streams/index.js";
import type { Calls } from "./calls.js";
import type { Method, MethodShape } from "./method.js";
import { serverStreaming } from "./server-streaming.js";
import { StatusError } from "./status.js";
import { unary } from "./unary.js";

export type ServingStatus = "SERVING" | "NOT_SERVING";

export interface HealthService {
  readonly methods: readonly Method[];
  set(status: ServingStatus): void;
}

interface HealthCheckRequest {
  readonly service: string;
}

interface HealthCheckResponse {
  readonly status: ServingStatus | "SERVICE_UNKNOWN";
}

/** Serves the health of `services`, and of the whole server under the empty name. They share one status. */
export function createHealth(calls: Calls, services: readonly string[]): HealthService {
  const serving = new Watch<ServingStatus>("SERVING");
  const names = new Set(["", ...services]);
  return {
    methods: [
      unary(calls, shapeOf<HealthCheckRequest, HealthCheckResponse>("Check"), async (request) => {
        if (names.has(request.service)) return { status: serving.value };
        throw new StatusError(status.NOT_FOUND, `There is no service ${JSON.stringify(request.service.slice(0, 200))}`);
      }),
      unary(calls, shapeOf<object, { statuses: Record<string, HealthCheckResponse> }>("List"), async () => ({
        statuses: Object.fromEntries([...names].map((name) => [name, { status: serving.value }])),
      })),
      serverStreaming(
        calls,
        shapeOf<HealthCheckRequest, HealthCheckResponse>("Watch"),
        async function* (request, { signal }) {
          const isKnown = names.has(request.service);
          for (;;) {
            const seen = serving.version;
            yield { status: isKnown ? serving.value : "SERVICE_UNKNOWN" };
            await serving.changed(seen, { signal });
          }
        },
      ),
    ],
    set: (value) => serving.set(value),
  };
}

/** The definition comes from a .proto that is loaded at run time, so its messages are typed here. */
function shapeOf<Request extends object, Response extends object>(
  method: "Check" | "List" | "Watch",
): MethodShape<Request, Response> {
  const definition = service[method];
  if (definition === undefined) throw new Error(`Cannot serve health: its definition lacks ${method}`);
  const { path, requestDeserialize, responseSerialize } = definition;
  return {
    path,
    requestDeserialize: requestDeserialize as (bytes: Buffer) => Request,
    responseSerialize,
    isQuiet: true,
    servesWhileDraining: true,
  };
}
