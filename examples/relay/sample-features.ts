/** Features for the relay: a grid of places, and changes of them. */

import type { MillraceClient, RecordInput } from "millrace";
import { prepareEmptyTopic } from "../prepare-topic.js";

/** Creates the topic anew, with `features` features in it. */
export async function createFeatures(millrace: MillraceClient, topic: string, features: number): Promise<void> {
  await prepareEmptyTopic(millrace, topic, { keyed: true });
  await publish(millrace, topic, features, (number) => featureNumber(number, number));
}

/** Changes each feature in turn; every tenth change removes it. */
export async function changeFeatures(
  millrace: MillraceClient,
  topic: string,
  { features, changes }: { readonly features: number; readonly changes: number },
): Promise<void> {
  await publish(millrace, topic, changes, (number) => {
    const feature = (number * 7) % features;
    return number % 10 === 0 ? { key: keyOf(feature) } : featureNumber(feature, features + number);
  });
}

async function publish(
  millrace: MillraceClient,
  topic: string,
  count: number,
  recordNumber: (number: number) => RecordInput,
): Promise<void> {
  const publisher = millrace.publisher(topic);
  function* records() {
    for (let number = 0; number < count; number += 1) yield recordNumber(number);
  }
  await publisher.publishAll(records());
  await publisher.close();
}

function featureNumber(feature: number, version: number): RecordInput {
  return {
    key: keyOf(feature),
    json: { name: `Place ${feature}`, population: (version * 7919) % 200_000 },
    location: { latitude: ((version * 37) % 1800) / 10 - 90, longitude: ((version * 73) % 3600) / 10 - 180 },
  };
}

const keyOf = (feature: number): string => `place-${String(feature).padStart(6, "0")}`;
