/** A client of the relay, which keeps the features that it receives. */

import { credentials } from "@grpc/grpc-js";
import { type Feature, RelayClient, type WatchRequest, type WatchResponse } from "./relay-proto.js";

export interface WatchedFeatures {
  readonly features: ReadonlyMap<string, Feature>;
  readonly messages: number;
  /** How many features or removals it received. */
  readonly told: number;
}

export interface WatchFeaturesOptions {
  /** Awaited after each message. */
  readonly pause?: () => Promise<void>;
  /** Called when it has received everything up to then. */
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
