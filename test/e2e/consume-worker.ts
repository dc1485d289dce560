/** A hostile consumer: sometimes slow, sometimes failing, and sometimes gone without notice. */

import { setTimeout as delay } from "node:timers/promises";
import type {
  ConsumeRequest,
  ConsumeResponse,
  DeepPartial,
  OffsetRange,
} from "../../src/gen/millrace/v1/subscription_service.js";
import { type Random, wholeNumberBetween } from "../support/soak.js";
import { type ConsumeCall, openConsumeCall } from "./consume-call.js";
import type { ConsumeHistory, HistoryEvent, Verdict } from "./consume-checker.js";

/** Probabilities in [0, 1]. */
export interface Habits {
  /**
   * For each record: reject it, release it, extend its deadline, or drop it until its deadline; otherwise acknowledge.
   */
  readonly reject: number;
  readonly release: number;
  readonly extend: number;
  readonly forget: number;
  /** For each message with records: change the window; die, cancel or half-close. */
  readonly window: number;
  readonly leave: number;
  /** The longest work on a record. */
  readonly workMs: number;
  readonly windowRecords: number;
}

export interface WorkerOptions {
  readonly name: string;
  /** Where it consumes next. */
  readonly address: () => string;
  readonly subscription: string;
  readonly history: ConsumeHistory;
  readonly random: Random;
  readonly habits: Habits;
  /** Everything that arrived before this time has been read. */
  readonly readUntilMs: () => number;
  /** Called once, with what went wrong. */
  readonly onFailure: (error: unknown) => void;
}

export interface ConsumeWorker {
  /** Its open call, and the address of that. */
  readonly call: string | undefined;
  readonly address: string | undefined;
  /** Ends it in an orderly way. */
  stop(): Promise<void>;
  /** Ends it in any way. */
  abandon(): void;
}

const verdicts = ["acknowledged", "rejected", "parked", "extended", "released"] as const;

/** Consumes, one call after the other, until it is stopped. */
export function startWorker(options: WorkerOptions): ConsumeWorker {
  const { name, history, random, onFailure } = options;
  const take = (event: HistoryEvent) => history.take(event, performance.now());
  const stopping = new AbortController();
  let lives = 0;
  let current: Life | undefined;
  const working = (async () => {
    while (!stopping.signal.aborted) {
      current = new Life(options, `${name}.${++lives}`, take);
      const how = await current.ended;
      current = undefined;
      // A fenced consumer returns later: at once it would fence its successor.
      const most = how === "fenced" ? 800 : how === "lost" ? 100 : 20;
      await delay(random() * most, undefined, { signal: stopping.signal }).catch(() => undefined);
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
      stopping.abort();
      current?.leave("finish");
      await working;
    },
    abandon() {
      stopping.abort();
      current?.abandon();
    },
  };
}

type Fate = "acknowledge" | "reject" | "release" | "extend" | "forget";

/** One call, from its opening to its end. */
class Life {
  readonly call: string;
  readonly address: string;
  readonly ended: Promise<"asked" | "lost" | "fenced">;
  readonly #options: WorkerOptions;
  readonly #take: (event: HistoryEvent) => void;
  readonly #wire: ConsumeCall;
  #messages = 0;
  #hasLeft = false;

  constructor(options: WorkerOptions, call: string, take: (event: HistoryEvent) => void) {
    const { subscription, address, onFailure } = options;
    this.call = call;
    this.#options = options;
    this.#take = take;
    this.address = address();
    this.#wire = openConsumeCall({
      address: this.address,
      opening: { subscription, consumer: call, window: this.#window() },
      onMessage: (message) => {
        try {
          this.#receive(message);
        } catch (error) {
          onFailure(error);
        }
      },
    });
    this.ended = this.#wire.ended.then(({ code, text, reason }) => {
      const hasLeft = this.#hasLeft;
      const isFenced = reason === "CONSUMER_FENCED";
      const how = hasLeft ? "asked" : isFenced ? "fenced" : "lost";
      if (!hasLeft) this.#leave(how);
      if (!hasLeft && !isFenced && !["GONE", "UNAVAILABLE", "CANCELLED"].includes(code)) {
        throw new Error(`${call} ended with ${code} ${reason}: ${text}`);
      }
      return how;
    });
  }

  /** Leaves by itself, in one way or another. From now on its records may go to others. */
  leave(how: "die" | "cancel" | "finish"): void {
    if (this.#hasLeft) return;
    this.#leave("asked");
    this.#wire[how]();
  }

  /** Ends it, whatever it sent and received. */
  abandon(): void {
    this.#hasLeft = true;
    this.#wire.die();
  }

  #leave(how: "asked" | "lost" | "fenced"): void {
    this.#hasLeft = true;
    this.#take({ kind: "left", call: this.call, how });
  }

  #receive({ records, attempt, confirmed, event }: ConsumeResponse): void {
    const { random, habits, readUntilMs } = this.#options;
    const { call } = this;
    if (confirmed !== undefined) {
      for (const verdict of verdicts) this.#takeVerdict(verdict, confirmed[verdict]);
      this.#takeVerdict(
        "stale",
        confirmed.stale.flatMap(({ offsets }) => offsets ?? []),
      );
    }
    // Records that were outstanding when it left are no longer its own.
    if (this.#hasLeft) return;
    if (event?.$case === "started") this.#take({ kind: "started", call });
    if (records.length === 0) return;
    const message = ++this.#messages;
    const sinceMs = readUntilMs();
    const offsets = records.map(({ offset = 0, key, body }) => {
      const text = body?.$case === "text" ? body.value : "";
      this.#take({ kind: "handed", call, message, offset, attempt, key, text, sinceMs });
      return offset;
    });
    if (random() < habits.leave) {
      const how = random();
      this.leave(how < 0.5 ? "die" : how < 0.8 ? "cancel" : "finish");
      return;
    }
    if (random() < habits.window) this.#wire.send({ window: this.#window() });
    for (let from = 0; from < offsets.length; ) {
      const group = offsets.slice(from, from + wholeNumberBetween(random, 1, 20));
      from += group.length;
      // A third is settled at once.
      if (random() < 0.33) this.#settle(group);
      else setTimeout(() => this.#settle(group), random() * habits.workMs);
    }
  }

  #takeVerdict(verdict: Verdict, ranges: readonly OffsetRange[]): void {
    for (const { firstOffset, nextOffset } of ranges) {
      for (let offset = firstOffset; offset < Math.max(nextOffset, firstOffset + 1); offset++) {
        this.#take({ kind: "confirmed", call: this.call, offset, verdict });
      }
    }
  }

  /** Sends verdicts on these, in one message. */
  #settle(offsets: readonly number[]): void {
    const { random, habits } = this.#options;
    if (this.#hasLeft) return;
    const of: Record<Fate, number[]> = { acknowledge: [], reject: [], release: [], extend: [], forget: [] };
    for (const offset of offsets) of[this.#fate()].push(offset);
    const { call } = this;
    for (const kind of ["acknowledge", "reject", "release"] as const) {
      for (const offset of of[kind]) this.#take({ kind, call, offset });
    }
    // Half of their time in the history's count.
    for (const offset of of.extend) this.#take({ kind: "extend", call, offset, byMs: 1000 });
    const request: DeepPartial<ConsumeRequest> = {
      acknowledge: rangesOf(of.acknowledge).map((offsets) => ({ offsets })),
      reject: rangesOf(of.reject).map((offsets) => ({
        offsets,
        delay: { seconds: 0, nanos: wholeNumberBetween(random, 0, 50) * 1_000_000 },
        reason: `not liked by ${call}`,
      })),
      release: rangesOf(of.release).map((offsets) => ({ offsets })),
      extend: rangesOf(of.extend).map((offsets) => ({ offsets, by: { seconds: 2, nanos: 0 } })),
    };
    if (of.forget.length < offsets.length) this.#wire.send(request);
    if (of.extend.length > 0) setTimeout(() => this.#settle(of.extend), random() * habits.workMs);
  }

  #fate(): Fate {
    const { random, habits } = this.#options;
    let chance = random();
    for (const fate of ["reject", "release", "extend", "forget"] as const) {
      chance -= habits[fate];
      if (chance < 0) return fate;
    }
    return "acknowledge";
  }

  #window() {
    const { random, habits } = this.#options;
    return {
      records: wholeNumberBetween(random, 1, habits.windowRecords),
      bytes: 2 ** wholeNumberBetween(random, 8, 18),
    };
  }
}

/** Joins neighbours. A single offset is written in either form. */
function rangesOf(offsets: readonly number[]): OffsetRange[] {
  const ranges: OffsetRange[] = [];
  for (const offset of offsets.toSorted((left, right) => left - right)) {
    const last = ranges.at(-1);
    if (last !== undefined && Math.max(last.nextOffset, last.firstOffset + 1) === offset) last.nextOffset = offset + 1;
    else ranges.push({ firstOffset: offset, nextOffset: 0 });
  }
  return ranges;
}
