import { expect } from "vitest";
import type { Sharing } from "../../src/core/index.js";
import type { ConsumeResponse } from "../../src/gen/millrace/v1/subscription_service.js";
import { createClient } from "../../src/index.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { openConsumeCall } from "./consume-call.js";
import { sharingOf } from "./consume-scene.js";
import { SubscriptionControl } from "./subscription-control.js";

export interface PoisonRun {
  readonly sharing: Sharing;
  readonly records: number;
  /** How many of them always fail. */
  readonly poison: number;
}

const topic = "poison/some";
const subscription = "poisoned";
const attemptsMax = 5;
const redrivesPerSecond = 100;

/** Polls Describe until the condition holds. */
async function described(
  control: SubscriptionControl,
  isSo: (progress: Awaited<ReturnType<SubscriptionControl["describe"]>>) => boolean,
): Promise<void> {
  while (!isSo(await control.describe(subscription))) await new Promise((resolve) => setTimeout(resolve, 20));
}

/**
 * Some records fail at every attempt. Each of them is parked with a reason for each attempt, while all others are
 * processed. Redriven records are delivered at the requested rate, and the cursor does not move.
 */
export async function parkPoison(kind: DatabaseKind, { sharing, records, poison }: PoisonRun): Promise<void> {
  const database = await createTestDatabase(kind);
  const args = ["--log-level", "error", ...databaseArguments(database.connection)];
  const server = await startServerProcess(["--listen", "127.0.0.1:0", ...args]);
  const { address } = server;
  const millrace = createClient({ address });
  const control = new SubscriptionControl(address);
  /** Spread over the first half, so that many records follow. */
  const step = Math.floor(records / 2 / poison);
  const poisoned = Array.from({ length: poison }, (_, index) => index * step + 1);
  const isPoison = new Set(poisoned);
  const attempts = new Map<number, number>();
  const done = new Set<number>();
  let healthyBeforeParked = 0;
  let failed = 0;
  let failure: unknown;
  /** Handles messages: at first poison fails, later everything succeeds. */
  let receive = (message: ConsumeResponse): void => {
    const { records: handed, attempt } = message;
    for (const { offset = 0 } of handed) {
      if (!isPoison.has(offset)) {
        expect(done.has(offset)).toBe(false);
        done.add(offset);
        if (failed < poison * attemptsMax) healthyBeforeParked += 1;
        call.send({ acknowledge: [{ offsets: { firstOffset: offset } }] });
        continue;
      }
      expect(attempt).toBe((attempts.get(offset) ?? 0) + 1);
      attempts.set(offset, attempt);
      failed += 1;
      call.send({ reject: [{ offsets: { firstOffset: offset }, reason: `record ${offset}, attempt ${attempt}` }] });
    }
  };
  const open = () =>
    openConsumeCall({
      address,
      opening: { subscription, consumer: "healer", window: { records: 50 } },
      onMessage(message) {
        try {
          receive(message);
        } catch (error) {
          failure ??= error;
        }
      },
    });
  let call!: ReturnType<typeof open>;
  try {
    await millrace.topics.create(topic);
    const publisher = millrace.publisher(topic);
    await publisher.publishAll(
      Array.from({ length: records }, (_, index) => ({ key: `key-${index % 97}`, text: `${index}` })),
    );
    await publisher.close();
    await control.create({
      subscription,
      topic,
      sharing: sharingOf[sharing],
      retryMin: { seconds: 0, nanos: 20_000_000 },
      retryMax: { seconds: 0, nanos: 100_000_000 },
    });
    call = open();
    await described(control, ({ parkedRecords, lagRecords }) => {
      if (failure !== undefined) throw failure;
      return parkedRecords === poison && lagRecords === 0;
    });
    expect(done.size).toBe(records - poison);
    expect(healthyBeforeParked).toBeGreaterThan(records / 4);
    const parked = await control.parked(subscription);
    expect(parked.map(({ record, attempts: count, reasons }) => ({ offset: record?.offset, count, reasons }))).toEqual(
      poisoned.map((offset) => ({
        offset,
        count: attemptsMax,
        reasons: [1, 2, 3, 4, 5].map((attempt) => `record ${offset}, attempt ${attempt}`),
      })),
    );

    const arrivals: { readonly offset: number; readonly afterMs: number }[] = [];
    let startedMs = 0;
    receive = ({ records: handed }) => {
      for (const { offset = 0 } of handed) {
        arrivals.push({ offset, afterMs: performance.now() - startedMs });
        call.send({ acknowledge: [{ offsets: { firstOffset: offset } }] });
      }
    };
    startedMs = performance.now();
    expect(await control.redrive(subscription, redrivesPerSecond)).toBe(poison);
    await described(control, ({ cursor, parkedRecords, retryRecords }) => {
      expect(cursor?.offset).toBe(records);
      expect(parkedRecords).toBe(0);
      return retryRecords === 0 && arrivals.length >= poison;
    });
    expect(arrivals.map(({ offset }) => offset).toSorted((left, right) => left - right)).toEqual(poisoned);
    // Not before its turn; there is no bound for how much later.
    for (const [index, { afterMs }] of arrivals.entries()) {
      expect(afterMs).toBeGreaterThanOrEqual((index * 1000) / redrivesPerSecond - 1);
    }
    expect(await control.parked(subscription)).toEqual([]);
    call.finish();
    expect(await call.ended).toMatchObject({ code: "OK" });
    const lastMs = arrivals.at(-1)?.afterMs ?? 0;
    console.log(`${sharing} on ${kind}: ${poison} of ${records} parked; redriven in ${lastMs.toFixed(0)} ms`);
  } finally {
    call?.die();
    control.close();
    millrace.close();
    await server.stop("SIGKILL");
    await database.drop();
  }
}
