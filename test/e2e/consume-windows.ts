import { expect } from "vitest";
import type { Sharing } from "../../src/core/index.js";
import {
  type ConsumeRequest,
  type ConsumeResponse,
  ConsumeResponse_Heartbeat_Waiting,
  type DeepPartial,
  type Window,
} from "../../src/gen/millrace/v1/subscription_service.js";
import { createClient } from "../../src/index.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { type Random, seededRandom, wholeNumberBetween } from "../support/soak.js";
import { type ConsumeCall, openConsumeCall } from "./consume-call.js";
import { sharingOf } from "./consume-scene.js";
import { SubscriptionControl } from "./subscription-control.js";

export interface WindowRun {
  readonly sharing: Sharing;
  /** How often the window is changed. */
  readonly changes: number;
  /** About how many acknowledgements, rejections and timeouts precede the check that the whole window is usable. */
  readonly verdicts: number;
  readonly seed: number;
}

const topic = "windows/filled";
const subscription = "windows";

/** What takes longer than this does not happen at all. */
const patienceMs = 20_000;

/** A consumer's records by its own count, which is never above the server's. */
interface Held {
  readonly bytes: number;
  /** Until this time it certainly counts: the server's clock started earlier. */
  readonly untilMs: number;
}

/** A consumer that checks for each message whether its window allowed it. */
class WindowedConsumer {
  readonly held = new Map<number, Held>();
  /** The window that the server reported last. */
  window = { records: 0, bytes: 0 };
  waiting: ConsumeResponse_Heartbeat_Waiting | undefined;
  outstandingSaid = -1;
  /** Records larger than the window that were delivered alone. */
  oversized = 0;
  received = 0;
  windowAnswers = 0;
  /** Extends the deadline of all records, so that it keeps them. */
  isKeeping = false;
  readonly #call: ConsumeCall;
  readonly #deadlineMs: number;
  #bytes = 0;
  #failure: unknown;
  #seen: () => void = () => undefined;

  constructor(address: string, deadlineMs: number, window: Window) {
    this.#deadlineMs = deadlineMs;
    this.#call = openConsumeCall({
      address,
      opening: { subscription, consumer: "windowed", window },
      onMessage: (message, recordBytes) => {
        try {
          this.#receive(message, recordBytes);
        } catch (error) {
          this.#failure ??= error;
        }
        this.#seen();
      },
    });
    void this.#call.ended.then((end) => {
      this.#failure ??= new Error(`The call ended: ${JSON.stringify(end)}`);
      this.#seen();
    });
  }

  get heldBytes(): number {
    return this.#bytes;
  }

  send(request: DeepPartial<ConsumeRequest>): void {
    this.#call.send(request);
  }

  /** Takes the oldest `count` of its records as settled: their verdicts are sent with `send`. */
  settle(count: number): number[] {
    const offsets = [...this.held.keys()].slice(0, count);
    for (const offset of offsets) this.#forget(offset);
    return offsets;
  }

  /** Drops all its records: their deadlines pass on the server. */
  settleAll(): number[] {
    return this.settle(this.held.size);
  }

  /** Waits for messages until the condition holds. Heartbeats always arrive. */
  async until(condition: () => boolean): Promise<void> {
    const endMs = performance.now() + patienceMs;
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (condition()) return;
      if (performance.now() > endMs)
        throw new Error(`It waits in vain: ${this.held.size} held, waiting ${this.waiting}`);
      await new Promise<void>((resolve) => (this.#seen = resolve));
    }
  }

  async finish(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#call.finish();
    expect(await this.#call.ended).toMatchObject({ code: "OK" });
  }

  abandon(): void {
    this.#call.die();
  }

  #receive({ records, event }: ConsumeResponse, recordBytes: readonly number[]): void {
    const nowMs = performance.now();
    switch (event?.$case) {
      case "started":
        this.#apply(event.value.window);
        break;
      case "windowChanged":
        this.windowAnswers += 1;
        this.#apply(event.value);
        break;
      case "heartbeat":
        this.waiting = event.value.waiting;
        this.outstandingSaid = event.value.outstandingRecords;
        break;
      case "skipped":
      case "closed":
        throw new Error(`Nobody expects ${event.$case}`);
      case undefined:
        break;
    }
    if (records.length === 0) return;
    this.received += records.length;
    for (const [offset, { untilMs }] of this.held) if (untilMs <= nowMs) this.#forget(offset);
    records.forEach(({ offset = 0 }, index) => {
      const bytes = recordBytes[index] ?? 0;
      this.#forget(offset);
      this.held.set(offset, { bytes, untilMs: nowMs + this.#deadlineMs * 0.8 });
      this.#bytes += bytes;
    });
    if (this.isKeeping)
      this.#keep(
        records.map(({ offset = 0 }) => offset),
        nowMs,
      );
    const { window } = this;
    const told = `${this.held.size} records of ${this.#bytes} bytes are outstanding in ${JSON.stringify(window)}`;
    if (this.held.size > window.records || window.bytes === 0) throw new Error(told);
    if (this.#bytes > window.bytes) {
      if (this.held.size > 1) throw new Error(told);
      this.oversized += 1;
    }
  }

  #keep(offsets: readonly number[], nowMs: number): void {
    const extend = offsets.map((firstOffset) => ({ offsets: { firstOffset }, by: { seconds: 600, nanos: 0 } }));
    this.send({ extend });
    for (const offset of offsets) {
      const { bytes = 0 } = this.held.get(offset) ?? {};
      this.held.set(offset, { bytes, untilMs: nowMs + 500_000 });
    }
  }

  #apply(window: Window | undefined): void {
    this.window = { records: window?.records ?? -1, bytes: window?.bytes ?? -1 };
  }

  #forget(offset: number): void {
    this.#bytes -= this.held.get(offset)?.bytes ?? 0;
    this.held.delete(offset);
  }
}

/** Mostly small, some as large as a message, and a few larger than most windows. */
function sizeOf(random: Random): number {
  const kind = random();
  if (kind < 0.9) return wholeNumberBetween(random, 10, 400);
  return kind < 0.99 ? wholeNumberBetween(random, 400, 10_000) : wholeNumberBetween(random, 10_000, 300_000);
}

/** Often tiny or zero, in one of the two or in both. */
function windowOf(random: Random): { records: number; bytes: number } {
  return {
    records: random() < 0.1 ? 0 : Math.floor(2 ** (random() * 9)),
    bytes: random() < 0.1 ? 0 : Math.floor(2 ** (random() * 18)),
  };
}

/** Opens a server with a topic of `records` records, a subscription of it, and a consumer. */
async function withConsumer(
  kind: DatabaseKind,
  run: WindowRun,
  setting: { readonly records: number; readonly deadlineMs: number; readonly window: Window; readonly sizes: boolean },
  use: (consumer: WindowedConsumer, random: Random, publish: (records: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { sharing, seed } = run;
  const random = seededRandom(seed);
  const database = await createTestDatabase(kind);
  const args = ["--log-level", "error", "--heartbeat-min-ms", "500", "--heartbeat-max-ms", "1000"];
  const server = await startServerProcess([
    "--listen",
    "127.0.0.1:0",
    ...args,
    ...databaseArguments(database.connection),
  ]);
  const millrace = createClient({ address: server.address });
  const control = new SubscriptionControl(server.address);
  let consumer: WindowedConsumer | undefined;
  try {
    await millrace.topics.create(topic);
    const publisher = millrace.publisher(topic);
    const publish = async (records: number) => {
      const source = Array.from({ length: records }, (_, index) => ({
        key: `key-${index % 997}`,
        text: ".".repeat(setting.sizes ? sizeOf(random) : 20),
      }));
      await publisher.publishAll(source);
    };
    await publish(setting.records);
    await control.create({
      subscription,
      topic,
      sharing: sharingOf[sharing],
      ackDeadline: { seconds: setting.deadlineMs / 1000, nanos: 0 },
      attemptsMax: 1000,
      retryMin: { seconds: 0, nanos: 0 },
      retryMax: { seconds: 0, nanos: 10_000_000 },
      retryBacklog: 100_000,
    });
    consumer = new WindowedConsumer(server.address, setting.deadlineMs, setting.window);
    await use(consumer, random, publish);
    await consumer.finish();
    await publisher.close();
  } catch (error) {
    throw new Error(`windows(${JSON.stringify(kind)}, ${JSON.stringify(run)}): ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    consumer?.abandon();
    control.close();
    millrace.close();
    await server.stop("SIGKILL");
    await database.drop();
  }
}

/**
 * Changes the window many times, also while records are on their way. Never is more outstanding than it allows, except
 * for a single record that is larger than the window. A window of zero stops all deliveries.
 */
export async function changeWindows(kind: DatabaseKind, run: WindowRun): Promise<void> {
  const setting = { records: Math.min(10_000, 10 * run.changes), deadlineMs: 30_000, sizes: true };
  await withConsumer(
    kind,
    run,
    { ...setting, window: { records: 10, bytes: 1000 } },
    async (consumer, random, publish) => {
      let pauses = 0;
      for (let change = 0; change < run.changes; change++) {
        const window = windowOf(random);
        consumer.send({ window });
        const settle = () => {
          const offsets = consumer.settle(wholeNumberBetween(random, 0, consumer.held.size + 3));
          if (offsets.length === 0) return;
          // Most are released, so that there are always more to deliver.
          const isBack = random() < 0.7;
          const ranges = offsets.map((firstOffset) => ({ offsets: { firstOffset } }));
          consumer.send(isBack ? { release: ranges } : { acknowledge: ranges });
        };
        // Some changes are answered before the next one, some while it is on its way.
        if (random() < 0.5) settle();
        if (random() < 0.7) {
          const isAnswered = () => consumer.window.records === window.records && consumer.window.bytes === window.bytes;
          await consumer.until(isAnswered);
          if (random() < 0.5) settle();
        }
        if (window.records === 0 || window.bytes === 0) pauses += 1;
      }
      await publish(100);
      // Nothing is delivered through a closed window, for as long as the server takes to say so.
      consumer.send({ window: { records: 0, bytes: 100_000 } });
      await consumer.until(() => consumer.window.records === 0);
      consumer.send({ acknowledge: consumer.settleAll().map((firstOffset) => ({ offsets: { firstOffset } })) });
      consumer.outstandingSaid = -1;
      const { received } = consumer;
      await consumer.until(() => consumer.outstandingSaid === 0);
      expect(consumer.received).toBe(received);
      expect(consumer.waiting).toBe(ConsumeResponse_Heartbeat_Waiting.WINDOW_FULL_RECORDS);
      consumer.send({ window: { records: 5, bytes: 0 } });
      consumer.waiting = undefined;
      await consumer.until(() => consumer.waiting === ConsumeResponse_Heartbeat_Waiting.WINDOW_FULL_BYTES);
      expect(consumer.received).toBe(received);
      consumer.send({ window: { records: 5, bytes: 1_000_000 } });
      await consumer.until(() => consumer.held.size === 5);
      console.log(
        `${run.sharing} on ${kind}, seed ${run.seed}: ${run.changes} windows, ${pauses} of nothing,`,
        `${consumer.windowAnswers} answers, ${consumer.received} records, ${consumer.oversized} larger than the window`,
      );
    },
  );
}

/** Acknowledges, rejects, and lets deadlines pass. Afterwards the whole window can be filled, and no record more. */
export async function loseNoPermits(kind: DatabaseKind, run: WindowRun): Promise<void> {
  const window = { records: 200, bytes: 1_000_000 };
  const setting = { records: run.verdicts + 1000, deadlineMs: 1000, sizes: false, window };
  await withConsumer(kind, run, setting, async (consumer, random) => {
    const counts = { acknowledged: 0, rejected: 0, timedOut: 0 };
    while (counts.acknowledged + counts.rejected + counts.timedOut < run.verdicts) {
      await consumer.until(() => consumer.held.size > 0);
      const offsets = consumer.settle(wholeNumberBetween(random, 1, consumer.held.size));
      const ranges = offsets.map((firstOffset) => ({ offsets: { firstOffset } }));
      const what = random();
      if (what < 0.7) {
        consumer.send({ acknowledge: ranges });
        counts.acknowledged += offsets.length;
      } else if (what < 0.95) {
        const delay = { seconds: 0, nanos: wholeNumberBetween(random, 0, 30) * 1_000_000 };
        consumer.send({ reject: ranges.map((range) => ({ ...range, delay, reason: "not now" })) });
        counts.rejected += offsets.length;
      } else {
        // Without a verdict: they are redelivered after their deadline. Until then they count.
        counts.timedOut += offsets.length;
      }
    }
    // From here on nothing times out, except records that were dropped before.
    consumer.isKeeping = true;
    consumer.send({ acknowledge: consumer.settleAll().map((firstOffset) => ({ offsets: { firstOffset } })) });
    await consumer.until(() => consumer.held.size === window.records);
    // The server reports it itself by heartbeats, with its own count, and the count stays.
    consumer.outstandingSaid = -1;
    await consumer.until(() => consumer.outstandingSaid === window.records);
    consumer.send({
      acknowledge: consumer.settleAll().map((firstOffset) => ({ offsets: { firstOffset } })),
      window: { records: 0 },
    });
    console.log(`${run.sharing} on ${kind}, seed ${run.seed}: no permit is lost after`, counts);
  });
}
