import { type Produced, Stage } from "../stage.js";
import { END, PENDING, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import type { Waker } from "../waits/waiter.js";

/**
 * A stream of groups of the source's items. Nothing is pulled between groups; a failure comes after the groups of the
 * items before it. What a group is, its subclass knows.
 */
export abstract class Grouping<T, Group> extends Stage<Group> {
  readonly #source: Stream<T>;
  #failure: { readonly error: unknown } | undefined;
  #isAtEnd = false;

  constructor(source: Stream<T>) {
    super();
    this.#source = source;
  }

  /** A group that is complete before another item is pulled. */
  protected abstract due(): Group | undefined;

  /** Takes an item in, and gives the group that this completes. */
  protected abstract take(item: T): Group | undefined;

  /** Nothing is there now, or the event loop is to have its turn: a group whose time is over, or a timer for it. */
  protected abstract pause(waker: Waker | undefined): Group | undefined;

  /** The source is over: one group after the other of what is left. */
  protected abstract rest(): Group | undefined;

  /** Drops what was gathered, and clears timers. */
  protected abstract drop(): void;

  protected override produce(waker: Waker): Produced<Group> {
    if (this.#isAtEnd) return this.#last();
    try {
      return this.#gather(waker);
    } catch (error) {
      this.#failure = { error };
      return this.#last();
    }
  }

  protected override dispose(): Promise<void> | undefined {
    this.drop();
    return this.#source.close();
  }

  #gather(waker: Waker): Produced<Group> {
    const due = this.due();
    if (due !== undefined) return due;
    for (;;) {
      const item = this.#source.poll(waker);
      if (item === PENDING) return this.pause(waker) ?? PENDING;
      if (item === END) return this.#last();
      const group = this.take(item);
      if (group !== undefined) return group;
      // A group of items that are always there may take long.
      if (isTurnOver()) return this.pause(undefined) ?? yieldToEventLoop().then(again);
    }
  }

  #last(): Produced<Group> {
    this.#isAtEnd = true;
    const group = this.rest();
    if (group !== undefined) return group;
    if (this.#failure !== undefined) throw this.#failure.error;
    return END;
  }
}

function again(): typeof PENDING {
  return PENDING;
}
