import { type Produced, Stage } from "../stage.js";
import { END, PENDING, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import type { Waker } from "../waits/waiter.js";

/**
 * A stream of groups of the source's items. Nothing is pulled between groups. A failure comes after the groups of the items
 * before it. Subclasses define the groups.
 */
export abstract class Grouping<T, Group> extends Stage<Group> {
  readonly #source: Stream<T>;
  #failure: { readonly error: unknown } | undefined;
  #isAtEnd = false;

  constructor(source: Stream<T>) {
    super();
    this.#source = source;
  }

  /** Returns a group that is complete before another item is pulled. */
  protected abstract due(): Group | undefined;

  /** Adds an item, and returns the group that it completes. */
  protected abstract take(item: T): Group | undefined;

  /** Called before a wait for an item or for the event loop. Returns a group whose time is over, or sets a timer for it. */
  protected abstract pause(waker: Waker | undefined): Group | undefined;

  /** Called when the source is over, until it returns `undefined`: returns the remaining groups, one at a time. */
  protected abstract rest(): Group | undefined;

  /** Drops the gathered items, and clears timers. */
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
      // A large group over a source that is always ready must not block the event loop.
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
