/** A client of the relay: keeps what it is told. */

import { credentials } from "@grpc/grpc-js";
import { type Feature, RelayClient, type WatchRequest, type WatchResponse } from "./relay-proto.js";

export interface WatchedFeatures {
  readonly features: ReadonlyMap<string, Feature>;
  readonly messages: number;
  /** How often it was told a feature, or that one is gone. */
  readonly told: number;
}

export interface WatchFeaturesOptions {
  /** Waited for after each message. */
  readonly pause?: () => Promise<void>;
  /** Told when everything was given, up to then. */
  readonly onUpToDate?: () => void;
}

/** Watches to the end. */
export async function watchFeatures(
  address: string,
  request: WatchRequest,
  { pause, onUpToDate }: WatchFeaturesOptions = {},
): Promise<WatchedFeatures> {
  const client = new RelayClient(address, credentials.createInsecure());
  const features = new Map<string, Feature>();
  let messages = 0;
  let told = 0;
  try {
    for await (const message of client.watch(request) as AsyncIterable<WatchResponse>) {
      if (message.startsOver) features.clear();
      for (const key of message.removed) features.delete(key);
      for (const feature of message.features) features.set(feature.key, feature);
      messages += 1;
      told += message.removed.length + message.features.length;
      if (message.isUpToDate) onUpToDate?.();
      await pause?.();
    }
  } finally {
    client.close();
  }
  return { features, messages, told };
}
