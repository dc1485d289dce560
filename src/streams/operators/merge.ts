import { Queue } from "../channels/queue.js";
import { closeAll } from "../close-all.js";
import { from, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { END, PENDING, type Pending, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/** What a source gives. */
export type ItemOf<S> = S extends AsyncIterable<infer T> ? T : S extends Iterable<infer T> ? Awaited<T> : never;

export interface MergeOptions {
  /** Whether it waits for more sources when all have ended, until `end` is called. Default false. */
  readonly keepOpen?: boolean;
}

/** A merge whose sources come and go. */
export interface Merge<T> extends Stream<T> {
  /** How many sources it has. */
  readonly size: number;
  /** Adds a source. One that is added after the merge is over is closed at once. */
  add(source: Source<T>): MergedSource;
  /** No more sources: it ends with the last of them. */
  end(): void;
}

export interface MergedSource {
  /**
   * Takes the source out and closes it: nothing of it comes any more, also what it was asked for and had not given.
   * Resolves when it has cleaned up, and rejects with what that threw. Can be called again.
   */
  remove(): Promise<void>;
}

/**
 * The items of all sources as they come, in the order of each. Fair: sources that have something are asked in turn, and
 * one that always has something does not keep others from being heard: it gives 16 items in a row at most before those
 * that wait for a promise get a microtask. A source is asked for one item at a time, and its item stays with it until
 * its turn. An error of one comes after the items that were there before it, ends the merge and closes the others.
 * Closing it closes all. O(1) an item.
 *
 * @example
 * const merged = merge([range(0, 2), range(10, 12)]);
 * console.log(await collect(merged, { limit: 10 })); // [ 0, 10, 1, 11 ]
 */
export function merge<S extends Source<unknown>, T extends ItemOf<S>>(
  sources: Iterable<S>,
  options?: MergeOptions,
): Merge<T>;
// The other has two parameters, so that a call that states one, the type of the items, is of this kind.
export function merge<T>(sources: Iterable<Source<T>>, options?: MergeOptions): Merge<T>;
export function merge(sources: Iterable<Source<unknown>>, { keepOpen = false }: MergeOptions = {}): Merge<unknown> {
  const merged = new Merged(keepOpen);
  for (const source of sources) merged.add(source);
  return merged;
}

/** So many items in a row come from sources that had them at once, before those that wait for a promise are heard. */
const streakMax = 16;

const settled = Promise.resolve();

class Merged<T> extends Stage<T> implements Merge<T> {
  readonly #branches = new Set<Branch<T>>();
  /** Those that may have something, in the order of their turns. */
  readonly #ready = new Queue<Branch<T>>();
  #waker: Waker | undefined;
  #keepsOpen: boolean;
  #streak = 0;

  constructor(keepsOpen: boolean) {
    super();
    this.#keepsOpen = keepsOpen;
  }

  get size(): number {
    return this.#branches.size;
  }

  add(source: Source<T>): MergedSource {
    const stream = from(source);
    const branch = new Branch(stream, this.#onWake, this.#onResume);
    if (this.isOver) {
      stream.close()?.catch(() => undefined);
    } else {
      this.#branches.add(branch);
      branch.wake();
    }
    return {
      remove: async () => {
        // The last one may have been waited for.
        if (this.#branches.delete(branch)) this.#waker?.wake();
        await stream.close();
      },
    };
  }

  end(): void {
    this.#keepsOpen = false;
    this.#waker?.wake();
  }

  protected override produce(waker: Waker): Produced<T> {
    this.#waker = waker;
    if (this.#streak >= streakMax && this.#ready.length < this.#branches.size) {
      this.#streak = 0;
      return settled.then(again);
    }
    // One that is woken meanwhile has woken the waker too: a source that wakes inside its poll must not hold up the loop.
    for (let left = this.#ready.length; left > 0; left -= 1) {
      const branch = this.#ready.shift();
      if (branch === undefined) break;
      branch.isReady = false;
      // One that was removed meanwhile is closed, and says so.
      const item = branch.stream.poll(branch);
      if (item === END) {
        this.#branches.delete(branch);
      } else if (item !== PENDING) {
        this.#queue(branch);
        this.#streak += 1;
        return item;
      }
    }
    this.#streak = 0;
    return this.#branches.size === 0 && !this.#keepsOpen ? END : PENDING;
  }

  protected override dispose(): Promise<void> | undefined {
    const streams = [...this.#branches].map(({ stream }) => stream);
    this.#branches.clear();
    this.#ready.clear();
    return closeAll(streams);
  }

  readonly #onWake = (branch: Branch<T>): void => {
    if (!this.#queue(branch)) return;
    this.#waker?.wake();
  };

  readonly #onResume = (branch: Branch<T>): void => {
    if (!this.#queue(branch)) return;
    this.#waker?.resume();
  };

  #queue(branch: Branch<T>): boolean {
    if (branch.isReady || this.isOver) return false;
    branch.isReady = true;
    this.#ready.push(branch);
    return true;
  }
}

/** One source: woken, it stands in line. */
class Branch<T> implements Waker {
  readonly stream: Stream<T>;
  readonly #onWake: (branch: Branch<T>) => void;
  readonly #onResume: (branch: Branch<T>) => void;
  isReady = false;

  constructor(stream: Stream<T>, onWake: (branch: Branch<T>) => void, onResume: (branch: Branch<T>) => void) {
    this.stream = stream;
    this.#onWake = onWake;
    this.#onResume = onResume;
  }

  wake(): void {
    this.#onWake(this);
  }

  resume(): void {
    this.#onResume(this);
  }
}

function again(): Pending {
  return PENDING;
}
