/**
 * Server reflection, v1 and v1alpha (the same messages under two names), over the generated descriptor set.
 * `@grpc/reflection` gives descriptors without imports, which Go clients cannot read (grpc-js.md #18).
 */

import { status } from "@grpc/grpc-js";
import {
  ServerReflectionService as Shapes,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../gen/grpc/reflection/v1/reflection.js";
import { ServerReflectionService as AlphaShapes } from "../gen/grpc/reflection/v1alpha/reflection.js";
import { bidiStreaming } from "./bidi-streaming.js";
import type { Calls } from "./calls.js";
import { type Descriptors, indexDescriptors } from "./descriptors.js";
import type { Method } from "./method.js";

type Answer = NonNullable<ServerReflectionResponse["messageResponse"]>;

/** Serves reflection. `services` are the full names to list; each must be in the descriptor set. */
export function reflectionMethods(
  calls: Calls,
  descriptorSet: Uint8Array,
  services: readonly string[],
): readonly Method[] {
  const descriptors = indexDescriptors(descriptorSet);
  const unknown = services.find((name) => descriptors.fileBySymbol(name) === undefined);
  if (unknown !== undefined) throw new Error(`Cannot reflect on ${unknown}: it is not in the descriptor set`);
  async function* reflect(requests: AsyncIterable<ServerReflectionRequest>) {
    for await (const request of requests) {
      yield {
        validHost: request.host,
        originalRequest: request,
        messageResponse: answer(request.messageRequest, descriptors, services),
      };
    }
  }
  return [Shapes, AlphaShapes].map(({ serverReflectionInfo }) =>
    bidiStreaming(calls, { ...serverReflectionInfo, isQuiet: true }, reflect),
  );
}

function answer(
  request: ServerReflectionRequest["messageRequest"],
  descriptors: Descriptors,
  services: readonly string[],
): Answer {
  if (request === undefined) return refusal(status.INVALID_ARGUMENT, "message_request is required");
  switch (request.$case) {
    case "listServices":
      return { $case: "listServicesResponse", value: { service: services.map((name) => ({ name })) } };
    case "fileByFilename":
      return files(descriptors.fileByName(request.value), "file", request.value);
    case "fileContainingSymbol":
      return files(descriptors.fileBySymbol(request.value.replace(/^\./, "")), "symbol", request.value);
    case "fileContainingExtension":
      return refusal(status.NOT_FOUND, "There are no extensions");
    case "allExtensionNumbersOfType":
      return refusal(status.NOT_FOUND, "There are no extensions");
    default:
      throw request satisfies never;
  }
}

function files(found: Uint8Array[] | undefined, what: string, name: string): Answer {
  if (found === undefined)
    return refusal(status.NOT_FOUND, `There is no ${what} ${JSON.stringify(name.slice(0, 200))}`);
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto: found } };
}

function refusal(errorCode: number, errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode, errorMessage } };
}
