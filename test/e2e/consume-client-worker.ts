/** Like `consume-worker.ts`, with the client library: a record is handed when its handler gets it. */

import { setTimeout as delay } from "node:timers/promises";
import { type Consumption, createClient, type Delivery, FailedPreconditionError } from "../../src/index.js";
import { wholeNumberBetween } from "../support/soak.js";
import type { HistoryEvent } from "./consume-checker.js";
import type { ConsumeWorker, WorkerOptions } from "./consume-worker.js";
import { quickBackoff } from "./publish-through.js";

/** Consumes, one consumption after the other, until it is stopped. */
export function startClientWorker(options: WorkerOptions): ConsumeWorker {
  const { name, history, random, onFailure } = options;
  const take = (event: HistoryEvent) => {
    try {
      history.take(event, performance.now());
    } catch (error) {
      onFailure(error);
    }
  };
  let lives = 0;
  let isOver = false;
  let current: ClientLife | undefined;
  const working = (async () => {
    while (!isOver) {
      current = new ClientLife(options, () => `${name}.${++lives}`, take);
      const how = await current.ended;
      current = undefined;
      if (!isOver) await delay(random() * (how === "fenced" ? 800 : 20));
    }
  })();
  working.catch(onFailure);
  return {
    get call() {
      return current?.call;
    },
    get address() {
      return current?.address;
    },
    async stop() {
      isOver = true;
      void current?.stop();
      await working;
    },
    abandon() {
      isOver = true;
      current?.abort();
    },
  };
}

/** One consumption, which may use several calls. */
class ClientLife {
  readonly address: string;
  readonly ended: Promise<"asked" | "fenced">;
  readonly #options: WorkerOptions;
  readonly #take: (event: HistoryEvent) => void;
  readonly #consumption: Consumption;
  readonly #aborting = new AbortController();
  #call: string;
  #deliveries = 0;
  #startedMs = 0;

  constructor(options: WorkerOptions, nextCall: () => string, take: (event: HistoryEvent) => void) {
    const { habits, random, subscription, address } = options;
    this.#options = options;
    this.#take = take;
    this.#call = nextCall();
    this.address = address();
    const client = createClient({ address: this.address });
    this.#consumption = client.consume(subscription, {
      consumer: this.#call,
      window: { records: wholeNumberBetween(random, 1, habits.windowRecords) },
      backoff: quickBackoff,
      signal: this.#aborting.signal,
      onEvent: (event) => {
        if (event.type === "started") {
          this.#startedMs = performance.now();
          take({ kind: "started", call: this.#call });
        }
        if (event.type !== "reconnecting") return;
        take({ kind: "left", call: this.#call, how: "lost" });
        this.#call = nextCall();
      },
    });
    const working = this.#consumption.forEach((delivery) => this.#work(delivery), { concurrency: 20 });
    this.ended = working.then(
      () => this.#end("asked"),
      (error: unknown) => {
        if (this.#aborting.signal.aborted) return this.#end("asked");
        if (error instanceof FailedPreconditionError && error.reason === "CONSUMER_FENCED") return this.#end("fenced");
        throw error;
      },
    );
    void this.ended.catch(() => undefined).then(() => client.close());
  }

  get call(): string {
    return this.#call;
  }

  stop(): Promise<void> {
    return this.#consumption.stop();
  }

  abort(): void {
    this.#aborting.abort();
  }

  #end(how: "asked" | "fenced"): "asked" | "fenced" {
    this.#take({ kind: "left", call: this.#call, how });
    return how;
  }

  async #work(delivery: Delivery): Promise<void> {
    // It is dead.
    if (this.#aborting.signal.aborted) return;
    const { random, habits, readUntilMs } = this.#options;
    const call = this.#call;
    const { offset, attempt, signal } = delivery;
    const { key, text = "" } = delivery.record;
    const message = ++this.#deliveries;
    const when = { sinceMs: readUntilMs(), keptSinceMs: this.#startedMs };
    this.#take({ kind: "handed", call, message, offset, attempt, key, text, ...when });
    if (random() < habits.leave / 10) {
      if (random() < 0.5) {
        // Like a process that dies: nobody waits for outstanding records.
        this.#take({ kind: "left", call, how: "asked" });
        this.abort();
      } else void this.stop();
    }
    if (random() < habits.window / 10) {
      this.#consumption.setWindow({ records: wholeNumberBetween(random, 1, habits.windowRecords) });
    }
    await delay(random() * habits.workMs);
    // Another consumer has it, and no verdict of this one counts.
    if (signal.aborted) return;
    const fate = random();
    if (fate < habits.reject) {
      this.#take({ kind: "reject", call, offset });
      if (random() < 0.5) throw new Error(`not liked by ${call}`);
      await delivery.reject({ delayMs: wholeNumberBetween(random, 0, 50), reason: `not liked by ${call}` });
    } else if (fate < habits.reject + habits.release) {
      this.#take({ kind: "release", call, offset });
      await delivery.release();
    } else {
      this.#take({ kind: "acknowledge", call, offset });
      // A verdict now, or at the end of the handler.
      if (random() < 0.5) return;
      const verdict = await delivery.acknowledge();
      this.#take({ kind: "confirmed", call, offset, verdict });
    }
  }
}
