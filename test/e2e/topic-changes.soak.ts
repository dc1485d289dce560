import { setMaxListeners } from "node:events";
import { afterEach, expect, test } from "vitest";
import { ClientError, type FollowOptions, type MillraceClient } from "../../src/index.js";
import { sleep } from "../../src/streams/index.js";
import { batchOf } from "../support/acknowledged-log.js";
import { killServerProcesses } from "../support/server-process.js";
import { oneOf, type Random, soakRounds, soakTimeoutMs, wholeNumberBetween } from "../support/soak.js";
import { Followed, type Nodes, places, startNodes } from "./topic-changes.js";
import { quickBackoff } from "./publish-through.js";

afterEach(killServerProcesses);

test.each(places)(
  "follow never skips silently, whatever happens to its topic on %s",
  (place) =>
    soakRounds(`topic changes on ${place}`, async (random) => {
      const nodes = await startNodes(place);
      try {
        await changeAtRandom(nodes, random);
      } finally {
        await nodes.close();
      }
    }),
  soakTimeoutMs,
);

/** How often topics are changed in a round. */
const changes = 120;

const kinds = ["trim", "trim", "trim", "trim", "close", "close", "delete", "delete", "kill"] as const;

const topics = ["random/1", "random/2", "random/3"] as const;

/** Each record by epoch and offset, from acknowledgements and from followers, which must all agree. */
class Truth {
  readonly ends = new Map<string, number>();
  readonly #texts = new Map<string, string>();
  readonly #nextOffsets = new Map<number, number>();

  tell(epoch: number, offset: number, text: string): void {
    const place = `${epoch}/${offset}`;
    const known = this.#texts.get(place);
    if (known === undefined) this.#texts.set(place, text);
    else if (known !== text) throw new Error(`${place} is ${known}, and was given as ${text}`);
    this.#nextOffsets.set(epoch, Math.max(this.nextOffset(epoch), offset + 1));
  }

  /** The first unknown offset. */
  nextOffset(epoch: number): number {
    return this.#nextOffsets.get(epoch) ?? 0;
  }

  count(end: string): void {
    this.ends.set(end, (this.ends.get(end) ?? 0) + 1);
  }
}

async function changeAtRandom(nodes: Nodes, random: Random): Promise<void> {
  const truth = new Truth();
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const context: Context = { nodes, random, truth, signal: over.signal };
  const workers: Promise<void>[] = [];
  for (const topic of topics) {
    workers.push(publishOn(context, topic));
    for (let index = 0; index < 6; index += 1) workers.push(followAgain(context, topic));
  }
  const all = Promise.all(workers);
  all.catch(() => undefined);
  try {
    for (let index = 0; index < changes; index += 1) {
      await Promise.race([all, sleep(wholeNumberBetween(random, 20, 200))]);
      await changeOne(context, oneOf(random, topics));
    }
  } finally {
    over.abort();
  }
  await all;
  console.log("follows ended:", Object.fromEntries(truth.ends));
}

interface Context {
  readonly nodes: Nodes;
  readonly random: Random;
  readonly truth: Truth;
  readonly signal: AbortSignal;
}

async function changeOne({ nodes, random }: Context, topic: string): Promise<void> {
  const client = oneOf(random, [nodes.changing, nodes.following]);
  await unlessRefused(async () => {
    const { earliestOffset, nextOffset } = await client.topics.get(topic);
    const kind = oneOf(random, kinds);
    switch (kind) {
      case "trim":
        await client.topics.trim(topic, wholeNumberBetween(random, earliestOffset, nextOffset));
        break;
      case "close":
        await client.topics.close(topic);
        // Nobody publishes to it any more: followers reach its end, then it is deleted.
        await sleep(wholeNumberBetween(random, 0, 500));
        await client.topics.delete(topic);
        break;
      case "delete":
        await client.topics.delete(topic);
        break;
      case "kill":
        await nodes.killFollowed();
        break;
      default:
        kind satisfies never;
    }
  });
}

/** Publishes repeatedly to whatever topic has the name. */
async function publishOn({ nodes, random, truth, signal }: Context, topic: string): Promise<void> {
  for (let life = 0; !signal.aborted; life += 1) {
    const publisher = nodes.changing.publisher(topic, { backoff: quickBackoff });
    await unlessRefused(async () => {
      for (let batch = 0; !signal.aborted; batch += 1) {
        const records = batchOf(`${topic}:${life}`, batch, 20, 200);
        const acknowledged = await Promise.all(records.map((record) => publisher.publish(record)));
        acknowledged.forEach(({ epoch, offset }, index) => truth.tell(epoch, offset, records[index]?.text ?? ""));
        await sleep(wholeNumberBetween(random, 0, 3));
      }
    });
    await unlessRefused(() => publisher.close());
    await sleep(10);
  }
}

/** Follows repeatedly whatever topic has the name, at its own pace. Every end gives a reason. */
async function followAgain({ nodes, random, truth, signal }: Context, topic: string): Promise<void> {
  while (!signal.aborted) {
    const client: MillraceClient = oneOf(random, [nodes.following, nodes.changing]);
    const options: FollowOptions = {
      whenTrimmed: oneOf(random, ["fail", "skip"]),
      whenBehind: oneOf(random, ["catch-up", "skip", "fail"]),
      signal,
    };
    const followed = new Followed(client, topic, options);
    followed.onPage = ({ records, next }) => {
      for (const { offset, text = "" } of records) truth.tell(next.epoch, offset, text);
    };
    const pauseMs = oneOf(random, [0, 0, 5, 50]);
    while (!signal.aborted && (await followed.step(signal))) await sleep(pauseMs * random());
    if (signal.aborted) return followed.close();
    checkEnd(followed, options, truth);
    await sleep(wholeNumberBetween(random, 0, 50));
  }
}

function checkEnd(followed: Followed, options: FollowOptions, truth: Truth): void {
  const { end } = followed;
  if (end === "ended") {
    expect(followed.events.at(-1)).toMatchObject({ type: "closed", position: { offset: followed.nextOffset } });
    if (followed.epoch !== 0) expect(truth.nextOffset(followed.epoch)).toBe(followed.nextOffset);
    return truth.count("closed");
  }
  if (end === "open") throw new Error("A follow that is open has no end");
  const allowed = ["TOPIC_DELETED", "TOPIC_NOT_FOUND", "EPOCH_MISMATCH"];
  if (options.whenTrimmed === "fail") allowed.push("OFFSET_OUT_OF_RANGE");
  if (options.whenBehind === "fail") allowed.push("FELL_BEHIND");
  expect(allowed).toContain(end.reason);
  truth.count(end.reason);
}

/** Topics are created and deleted meanwhile: a refusal is an answer. */
async function unlessRefused(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const refusals = ["NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNAVAILABLE"];
    if (!(error instanceof ClientError) || !refusals.includes(error.code)) throw error;
  }
}
