import { expect } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { AcknowledgedLog, publishBatches, Transcript } from "../support/acknowledged-log.js";

const topic = "published/through";

/** Short, so that a returned server is found soon. */
export const quickBackoff = { minMs: 20, maxMs: 500 };

export interface PublishingThrough {
  readonly address: string;
  /** How many records are acknowledged before each disruption, and after the last. */
  readonly stretches: readonly number[];
  /** Makes something fail and work again. It is called in the middle of publishing. */
  readonly disrupt: () => Promise<void>;
}

export interface PublishedThrough {
  readonly records: number;
  /** Batches that were committed before their publisher lost the server and repeated them. */
  readonly repeatedBatches: number;
  readonly followerReconnections: number;
}

/**
 * Four publishers publish and a follower follows through all disruptions. Then every acknowledged record exists once,
 * in whole batches, and the follower has seen all without a gap or a repeat.
 */
export async function publishThrough({ address, stretches, disrupt }: PublishingThrough): Promise<PublishedThrough> {
  const [publishing, following] = [createClient({ address }), createClient({ address })];
  const over = new AbortController();
  const log = new AcknowledgedLog();
  const transcript = new Transcript();
  let isPublishing = true;
  let followerReconnections = 0;
  try {
    await publishing.topics.create(topic);
    const follower = (async () => {
      const stream = following.follow(topic, {
        start: "earliest",
        backoff: quickBackoff,
        signal: over.signal,
        onEvent: ({ type }) => {
          if (type === "reconnecting") followerReconnections += 1;
        },
      });
      for await (const record of stream) transcript.take(record);
    })();
    const publishers = [2, 10, 50, 200].map((batchRecords, index) =>
      publishBatches(publishing, {
        topic,
        name: `publisher-${index}`,
        log,
        batchRecords,
        goesOn: () => isPublishing,
        backoff: quickBackoff,
      }),
    );
    // Each is awaited below; until then no failure may be unhandled.
    for (const each of [follower, ...publishers]) each.catch(() => undefined);
    for (const [index, records] of stretches.entries()) {
      if (index > 0) await disrupt();
      await log.reaches(log.size + records, [...publishers, follower]);
    }
    isPublishing = false;
    await Promise.all(publishers);
    const { earliestOffset, nextOffset } = await publishing.topics.get(topic);
    expect(earliestOffset).toBe(0);
    await transcript.reaches(nextOffset, follower);
    over.abort();
    await expect(follower).rejects.toThrow();
    expect(transcript.nextOffset).toBe(nextOffset);
    // Every batch was acknowledged in the end, so nothing else may exist.
    expect(log.size).toBe(nextOffset);
    log.check(transcript);
    await checkAgain(publishing, log);
    return { records: nextOffset, repeatedBatches: log.repeatedBatches, followerReconnections };
  } finally {
    over.abort();
    publishing.close();
    following.close();
  }
}

/** A later read equals what was followed. */
async function checkAgain(client: MillraceClient, log: AcknowledgedLog): Promise<void> {
  const transcript = new Transcript();
  for await (const { records } of client.read(topic).pages()) for (const record of records) transcript.take(record);
  log.check(transcript);
}
