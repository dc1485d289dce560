import { RecoveryShortError } from "../errors.js";
import { from, type Source } from "../sources/from.js";
import { type Produced, Stage } from "../stage.js";
import { END, PENDING, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";
import { type Cursor, LAG } from "./broadcast-core.js";

/** Returns the items from position `from` to below `to`, in order. */
export type Recover<T> = (from: number, to: number, signal: AbortSignal) => Source<T>;

interface Recovery<T> {
  readonly items: Stream<T>;
  readonly controller: AbortController;
  readonly from: number;
  readonly to: number;
  /** The position of the next item. */
  next: number;
}

/** A receiver that alternates between the ring and recoveries, which fill its gaps. */
export class RecoveringReceiver<T> extends Stage<T> {
  readonly #cursor: Cursor<T>;
  readonly #recover: Recover<T>;
  #recovery: Recovery<T> | undefined;
  /** The cleanup of a finished recovery. The next item waits for it. */
  #closing: Promise<void> | undefined;

  constructor(cursor: Cursor<T>, recover: Recover<T>) {
    super();
    this.#cursor = cursor;
    this.#recover = recover;
  }

  protected override produce(waker: Waker): Produced<T> {
    if (this.#closing !== undefined) {
      const closing = this.#closing;
      this.#closing = undefined;
      return closing.then(again);
    }
    if (this.#recovery === undefined) {
      const item = this.#cursor.poll(waker);
      if (item !== LAG) return item;
      this.#recovery = this.#open();
    }
    return this.#pollRecovery(this.#recovery, waker);
  }

  protected override dispose(): Promise<void> | undefined {
    this.#cursor.leave();
    const recovery = this.#recovery;
    this.#recovery = undefined;
    if (recovery === undefined) return this.#closing;
    const closing = recovery.items.close();
    recovery.controller.abort(new Error("The receiver left"));
    return closing;
  }

  #open(): Recovery<T> {
    const missed = this.#cursor.skip();
    const to = this.#cursor.next;
    const controller = new AbortController();
    const items = from(this.#recover(to - missed, to, controller.signal));
    return { items, controller, from: to - missed, to, next: to - missed };
  }

  #pollRecovery(recovery: Recovery<T>, waker: Waker): Produced<T> {
    const item = recovery.items.poll(waker);
    if (item === PENDING) return item;
    if (item === END) throw new RecoveryShortError(recovery, recovery.next - recovery.from);
    recovery.next += 1;
    if (recovery.next === recovery.to) {
      this.#recovery = undefined;
      this.#closing = recovery.items.close();
      // Its error comes after this item.
      this.#closing?.catch(() => undefined);
    }
    return item;
  }
}

function again(): typeof PENDING {
  return PENDING;
}
