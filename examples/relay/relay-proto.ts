/** The relay's own API, loaded from its proto, as a JavaScript program without generated code does. */

import { fileURLToPath } from "node:url";
import {
  type ClientReadableStream,
  type GrpcObject,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

export interface WatchRequest {
  readonly topic: string;
  readonly latitude: number;
  readonly longitude: number;
}

export interface Feature {
  readonly key: string;
  readonly name: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly distanceKm: number;
  readonly size: "SIZE_CLASS_UNSPECIFIED" | "SIZE_CLASS_VILLAGE" | "SIZE_CLASS_TOWN" | "SIZE_CLASS_CITY";
}

export interface WatchResponse {
  readonly startsOver: boolean;
  readonly removed: readonly string[];
  readonly features: readonly Feature[];
  readonly isUpToDate: boolean;
}

/** The relay's client: proto-loader makes it, so TypeScript cannot check this type. */
export interface RelayClient {
  watch(request: WatchRequest): ClientReadableStream<WatchResponse>;
  close(): void;
}

/** Beside the sources, not in the build. */
const file = fileURLToPath(new URL("../../relay/relay.proto", import.meta.url));
const loaded = loadPackageDefinition(loadSync(file, { enums: String, defaults: true, arrays: true }));
const constructor = ((loaded["relay"] as GrpcObject)["v1"] as GrpcObject)["FeatureRelay"] as ServiceClientConstructor;

export const relayService = constructor.service;

export const RelayClient = constructor as unknown as new (
  ...args: ConstructorParameters<ServiceClientConstructor>
) => RelayClient;
