import type { Source } from "../../../src/streams/sources/from.js";
import { END, PENDING, type Polled, Stream } from "../../../src/streams/stream.js";
import type { Waker } from "../../../src/streams/waits/waiter.js";

/** A duration: none, a microtask, or a turn of the event loop. */
export type Pace = "now" | "microtask" | "immediate";

/** What happens "now" happens before `afterPace` returns. */
export function afterPace(pace: Pace, run: () => void): void {
  if (pace === "now") run();
  else if (pace === "microtask") void Promise.resolve().then(run);
  else setImmediate(run);
}

export interface ProbePlan<T> {
  readonly items: readonly T[];
  /** The kind of the source: users may pass any of these. */
  readonly kind: "iterable" | "generator" | "stream";
  /** The duration of each pull, cyclically. */
  readonly paces: readonly Pace[];
  /** Before which item it fails, with `error`. */
  readonly failAt?: number;
  /** Before which item it waits until it is released. */
  readonly parkAt?: number;
}

/** A source that follows a plan, and records how it was used. */
export class Probe<T> {
  readonly error = new Error("The source failed");
  readonly source: Source<T>;
  /** How many items were pulled. */
  asked = 0;
  /** How often its consumer closed it. */
  returns = 0;
  /** How often its cleanup ran; never if it was not begun. */
  cleanups = 0;
  isBegun = false;
  isParked = false;
  /** How often it was pulled while the previous pull was pending. */
  overlaps = 0;
  readonly plan: ProbePlan<T>;
  #release: (() => void) | undefined;

  constructor(plan: ProbePlan<T>) {
    this.plan = plan;
    if (plan.kind === "iterable") this.source = this.#iterable();
    else if (plan.kind === "generator") this.source = this.#generated();
    else this.source = new ProbeStream(this);
  }

  paceOf(index: number): Pace {
    return this.plan.paces[index % this.plan.paces.length] ?? "now";
  }

  noteAsk(index: number): void {
    this.isBegun = true;
    if (index < this.plan.items.length) this.asked += 1;
  }

  park(release: () => void): void {
    this.isParked = true;
    this.#release = release;
  }

  /** Ends its wait: only then does a generator react to `return()`. */
  release(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #iterable(): Iterable<T | Promise<T>> {
    const items = this.#items();
    return {
      [Symbol.iterator]: () => ({
        next: () => items.next(),
        return: () => {
          this.returns += 1;
          return items.return(undefined);
        },
      }),
    };
  }

  *#items(): Generator<T | Promise<T>, undefined> {
    const { items, failAt, parkAt } = this.plan;
    try {
      for (let index = 0; ; index += 1) {
        this.noteAsk(index);
        if (index === parkAt) {
          yield new Promise<T>((resolve) => this.park(() => resolve(items[index] as T)));
        } else if (index === failAt) {
          if (this.paceOf(index) === "now") throw this.error;
          yield this.#later(index, (_, reject) => reject(this.error));
        } else if (index >= items.length) {
          return undefined;
        } else {
          const item = items[index] as T;
          yield this.paceOf(index) === "now" ? item : this.#later(index, (resolve) => resolve(item));
        }
      }
    } finally {
      this.cleanups += 1;
    }
  }

  #later(index: number, settle: (resolve: (item: T) => void, reject: (error: unknown) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => afterPace(this.paceOf(index), () => settle(resolve, reject)));
  }

  #generated(): AsyncIterable<T> {
    const items = this.#itemsLater();
    let atWork = 0;
    const next = async () => {
      if (atWork > 0) this.overlaps += 1;
      atWork += 1;
      try {
        return await items.next();
      } finally {
        atWork -= 1;
      }
    };
    return {
      [Symbol.asyncIterator]: () => ({
        next,
        return: () => {
          this.returns += 1;
          return items.return(undefined);
        },
      }),
    };
  }

  async *#itemsLater(): AsyncGenerator<T, undefined> {
    const { items, failAt, parkAt } = this.plan;
    try {
      for (let index = 0; ; index += 1) {
        this.noteAsk(index);
        if (index === parkAt) await new Promise<void>((resolve) => this.park(resolve));
        if (this.paceOf(index) !== "now") await new Promise<void>((resolve) => afterPace(this.paceOf(index), resolve));
        if (index === failAt) throw this.error;
        if (index >= items.length) return undefined;
        yield items[index] as T;
      }
    } finally {
      this.cleanups += 1;
    }
  }
}

/** The same as a stream. It also wakes too often, and from inside a poll, which the contract allows. */
class ProbeStream<T> extends Stream<T> {
  readonly #probe: Probe<T>;
  #index = 0;
  #phase: "idle" | "waiting" | "ready" | "over" = "idle";
  #waker: Waker | undefined;

  constructor(probe: Probe<T>) {
    super();
    this.#probe = probe;
  }

  override poll(waker: Waker): Polled<T> {
    const probe = this.#probe;
    const { items, failAt, parkAt } = probe.plan;
    this.#waker = waker;
    if (this.#phase === "over") return END;
    if (this.#phase === "waiting") return PENDING;
    if (this.#phase === "idle") {
      probe.noteAsk(this.#index);
      const pace = probe.paceOf(this.#index);
      if (this.#index === parkAt) {
        this.#phase = "waiting";
        probe.park(this.#onReleased);
        return PENDING;
      }
      if (pace !== "now") {
        this.#phase = "waiting";
        afterPace(pace, this.#onReady);
        if (this.#index % 2 === 0) waker.wake();
        return PENDING;
      }
    }
    const index = this.#index;
    this.#index += 1;
    this.#phase = "idle";
    if (index === failAt) {
      this.#finish();
      throw probe.error;
    }
    if (index >= items.length) return this.#finish();
    return items[index] as T;
  }

  override close(): undefined {
    if (this.#phase === "over") return;
    this.#probe.returns += 1;
    if (this.#probe.isBegun) this.#finish();
    this.#phase = "over";
    this.#waker?.wake();
  }

  readonly #onReady = (): void => {
    if (this.#phase !== "waiting") return;
    this.#phase = "ready";
    if (this.#index % 3 === 0) this.#waker?.wake();
    else this.#waker?.resume();
  };

  /** Calls `wake`, not `resume`: the caller of `release` has more to do. */
  readonly #onReleased = (): void => {
    if (this.#phase !== "waiting") return;
    this.#phase = "ready";
    this.#waker?.wake();
  };

  #finish(): typeof END {
    this.#phase = "over";
    this.#probe.cleanups += 1;
    return END;
  }
}
