import { abortable } from "../waits/abort.js";
import { LaneFullError } from "../errors.js";
import { WaitQueue } from "../waits/wait-queue.js";

/** A waiting lane gets the next slot after this many slots in a row went to higher lanes. */
const passesMax = 16;

export interface LaneOptions<Name extends string> {
  readonly name: Name;
  /** How many tasks of this lane may run at once. */
  readonly limit: number;
  /** How many tasks of this lane may wait; further ones are refused. */
  readonly queue: number;
}

export interface LanesOptions<Name extends string> {
  /** How many tasks of all lanes together may run at once. */
  readonly total: number;
  /** Highest priority first. */
  readonly lanes: readonly LaneOptions<Name>[];
}

interface Lane {
  readonly name: string;
  readonly limit: number;
  readonly queue: number;
  readonly waiters: WaitQueue<true, void>;
  active: number;
  passedOver: number;
}

/**
 * Priority lanes for a shared pool. A free slot goes to the highest lane that has a waiting task and is below its own
 * limit; within a lane, to the oldest task. A lane that was passed over 16 times in a row gets the next slot, so none
 * starves. Starting and finishing a task are O(lanes).
 *
 * @example
 * const lanes = new Lanes({
 *   total: 1,
 *   lanes: [
 *     { name: "urgent", limit: 1, queue: 10 },
 *     { name: "bulk", limit: 1, queue: 10 },
 *   ],
 * });
 * const order: string[] = [];
 * const first = lanes.run("bulk", async () => order.push("first"));
 * const bulk = lanes.run("bulk", async () => order.push("bulk"));
 * const urgent = lanes.run("urgent", async () => order.push("urgent"));
 * await Promise.all([first, bulk, urgent]);
 * console.log(order); // [ 'first', 'urgent', 'bulk' ]
 */
export class Lanes<Name extends string> {
  readonly #total: number;
  readonly #lanes: readonly Lane[];
  readonly #byName: ReadonlyMap<string, Lane>;
  #active = 0;

  constructor(options: LanesOptions<Name>) {
    checkCount("total", options.total, 1);
    this.#total = options.total;
    this.#lanes = options.lanes.map(({ name, limit, queue }) => {
      checkCount(`limit of lane "${name}"`, limit, 1);
      checkCount(`queue of lane "${name}"`, queue, 0);
      return { name, limit, queue, waiters: new WaitQueue<true, void>(), active: 0, passedOver: 0 };
    });
    this.#byName = new Map(this.#lanes.map((lane) => [lane.name, lane]));
  }

  /** How many tasks hold a slot. This includes tasks whose caller has left. */
  active(name: Name): number {
    return this.#lane(name).active;
  }

  /** How many tasks wait for a slot. */
  waiting(name: Name): number {
    return this.#lane(name).waiters.size;
  }

  /**
   * Waits for a slot, runs the task, and settles as it does. Rejects with `LaneFullError` when the lane's queue is full.
   *
   * When the signal aborts, the promise rejects with its reason at once. A task that still waits then never runs. A running
   * task keeps its slot until it settles, and its result is dropped.
   */
  async run<T>(name: Name, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const lane = this.#lane(name);
    signal?.throwIfAborted();
    if (this.#active < this.#total && lane.active < lane.limit) this.#enter(lane);
    else if (lane.waiters.size >= lane.queue) throw new LaneFullError(name, lane.queue);
    else await lane.waiters.wait(true, signal);
    return abortable(this.#hold(lane, task, signal), signal);
  }

  async #hold<T>(lane: Lane, task: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      // The slot may have come in the same turn as the abort.
      signal?.throwIfAborted();
      return await task();
    } finally {
      this.#leave(lane);
    }
  }

  #enter(lane: Lane): void {
    lane.active += 1;
    this.#active += 1;
  }

  #leave(lane: Lane): void {
    lane.active -= 1;
    this.#active -= 1;
    this.#admit();
  }

  /** Gives out slots until none is free or no lane may take one. So `run` may take a free slot without looking at queues. */
  #admit(): void {
    while (this.#active < this.#total) {
      const lane = this.#nextLane();
      if (lane === undefined) return;
      this.#enter(lane);
      lane.waiters.admit();
    }
  }

  #nextLane(): Lane | undefined {
    const ready = this.#lanes.filter((lane) => lane.waiters.size > 0 && lane.active < lane.limit);
    const highest = ready[0];
    if (highest === undefined) return undefined;
    let chosen = highest;
    for (const lane of ready) {
      if (lane.passedOver >= passesMax && lane.passedOver > chosen.passedOver) chosen = lane;
    }
    for (const lane of ready.slice(ready.indexOf(chosen) + 1)) lane.passedOver += 1;
    chosen.passedOver = 0;
    return chosen;
  }

  #lane(name: Name): Lane {
    const lane = this.#byName.get(name);
    if (lane === undefined) throw new RangeError(`There is no lane "${name}"`);
    return lane;
  }
}

function checkCount(what: string, count: number, min: number): void {
  if (!(Number.isInteger(count) && count >= min)) throw new RangeError(`Cannot make lanes: ${what} is ${count}`);
}
