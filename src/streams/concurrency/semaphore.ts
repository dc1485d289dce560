import { SemaphoreFullError } from "../errors.js";
import { WaitQueue } from "../waits/wait-queue.js";

/** A share of a semaphore, held until it is released. */
export interface Permit {
  /** The weight that it holds; 0 once it is released. */
  readonly weight: number;
  /** Adds to the share if there is room now and nobody waits. Returns whether it did. Throws after `release`. */
  extend(weight: number): boolean;
  /** Gives the share back. Every call after the first does nothing. */
  release(): void;
}

export interface SemaphoreOptions {
  /** The largest total weight of all permits. */
  readonly capacity: number;
  /** How many calls of `acquire` may wait; further ones are refused. */
  readonly maxWaiting: number;
}

/**
 * Shares a capacity by weight, first come, first served: a light request never overtakes a heavy one that waits. A request
 * heavier than the whole capacity waits until everything is free, and then has the semaphore alone. All operations are
 * O(1).
 *
 * @example
 * const memory = new Semaphore({ capacity: 100, maxWaiting: 10 });
 * const permit = await memory.acquire(70);
 * console.log(memory.available, memory.tryAcquire(50)); // 30 undefined
 * permit.release();
 * console.log(memory.available); // 100
 */
export class Semaphore {
  readonly #capacity: number;
  readonly #maxWaiting: number;
  readonly #waiters = new WaitQueue<number, Permit>(() => this.#admit());
  #used = 0;
  #permits = 0;

  constructor(options: SemaphoreOptions) {
    if (!(options.capacity > 0)) throw new RangeError(`Cannot make a semaphore with capacity ${options.capacity}`);
    if (!(options.maxWaiting >= 0)) throw new RangeError(`Cannot let ${options.maxWaiting} wait for a semaphore`);
    this.#capacity = options.capacity;
    this.#maxWaiting = options.maxWaiting;
  }

  /** The free weight. 0 while a permit heavier than the capacity is held. */
  get available(): number {
    return Math.max(0, this.#capacity - this.#used);
  }

  /** How many calls of `acquire` wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Waits for a share of `weight`, which the caller must release. Rejects with the signal's reason when it aborts, and with
   * `SemaphoreFullError` when `maxWaiting` calls wait already. If a permit was granted and the signal aborts in the same
   * turn, it still resolves: a granted permit is never lost.
   */
  async acquire(weight: number, signal?: AbortSignal): Promise<Permit> {
    signal?.throwIfAborted();
    const permit = this.tryAcquire(weight);
    if (permit !== undefined) return permit;
    if (this.#waiters.size >= this.#maxWaiting) throw new SemaphoreFullError(this.#maxWaiting);
    return this.#waiters.wait(weight, signal);
  }

  /** A share if there is room now and nobody waits; otherwise `undefined`. */
  tryAcquire(weight: number): Permit | undefined {
    if (!isWeight(weight)) throw new RangeError(`Cannot acquire a weight of ${weight}`);
    return this.#waiters.size === 0 && this.#fits(weight) ? this.#grant(weight) : undefined;
  }

  #fits(weight: number): boolean {
    return this.#used + weight <= this.#capacity || this.#permits === 0;
  }

  #grant(weight: number): Permit {
    this.#used += weight;
    this.#permits += 1;
    let held = weight;
    let isHeld = true;
    return {
      get weight() {
        return held;
      },
      extend: (more) => {
        if (!isHeld || !isWeight(more)) throw new RangeError(`Cannot extend a permit by ${more}`);
        if (this.#waiters.size > 0 || this.#used + more > this.#capacity) return false;
        this.#used += more;
        held += more;
        return true;
      },
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#used -= held;
        held = 0;
        this.#permits -= 1;
        this.#admit();
      },
    };
  }

  #admit(): void {
    for (let ask = this.#waiters.firstAsk; ask !== undefined && this.#fits(ask); ask = this.#waiters.firstAsk) {
      this.#waiters.admit(this.#grant(ask));
    }
  }
}

/** NaN is not a weight. */
function isWeight(weight: number): boolean {
  return weight >= 0;
}
