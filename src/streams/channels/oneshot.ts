import { ChannelClosedError, NothingToReceiveError } from "../errors.js";
import { END, PENDING, type Polled, Stream } from "../stream.js";
import { abortable } from "../waits/abort.js";
import { type Deferred, deferred } from "../waits/deferred.js";
import type { Waker } from "../waits/waiter.js";

/** The sending side of a oneshot. Only the first call of its methods counts. */
export interface OneshotSender<T> {
  /** Sends the value. Throws `ChannelClosedError` after another call, and when the receiver is gone. */
  send(value: T): void;
  /** Fails the receiver with `error`. Does nothing after another call. */
  fail(error: unknown): void;
  /** Fails the receiver with a `NothingToReceiveError`. Does nothing after another call, so it can stand in `finally`. */
  close(): void;
}

/**
 * The receiving side of a oneshot: a stream of one item, for one consumer. If there is no value, it fails once. Closing it
 * drops the value.
 */
export interface OneshotReceiver<T> extends Stream<T> {
  /**
   * The value. Rejects with the sender's error, with `NothingToReceiveError` when there is no value or it was received
   * already, and with the signal's reason when it aborts; the value is not lost by that.
   */
  receive(signal?: AbortSignal): Promise<T>;
  /** Leaves: drops the value, and fails waiting calls of `receive` and a later `send`. */
  close(): undefined;
}

/**
 *   waiting ──send──▶ sent ──received──▶ over
 *   waiting ──fail, close──▶ failed ──received──▶ over
 *       any ──receiver leaves──▶ over
 */
type State<T> =
  | { readonly phase: "waiting" }
  | { readonly phase: "sent"; readonly value: T }
  | { readonly phase: "failed"; readonly error: unknown }
  | { readonly phase: "over"; readonly isReceiverGone: boolean };

/**
 * A channel for one value, which waits until it is received. Unlike with a promise, the receiver may leave, and `send` then
 * throws. A sender that closes without sending fails the receiver, instead of letting it wait for ever. A failure that
 * nobody receives is not an unhandled rejection.
 *
 * @example
 * const answer = oneshot<number>();
 * setTimeout(() => answer.sender.send(42), 1);
 * console.log(await answer.receiver.receive()); // 42
 *
 * const forgotten = oneshot<number>();
 * forgotten.sender.close();
 * const problem = await forgotten.receiver.receive().catch((error: Error) => error.message);
 * console.log(problem); // Cannot receive: the sender closed without sending
 */
export function oneshot<T>(): { readonly sender: OneshotSender<T>; readonly receiver: OneshotReceiver<T> } {
  const receiver = new OneValue<T>();
  return {
    sender: {
      send: (value) => receiver.accept(value),
      fail: (error) => receiver.settle({ phase: "failed", error }),
      close: () =>
        receiver.settle({ phase: "failed", error: new NothingToReceiveError("the sender closed without sending") }),
    },
    receiver,
  };
}

class OneValue<T> extends Stream<T> implements OneshotReceiver<T> {
  #state: State<T> = { phase: "waiting" };
  /** Whether the sender has sent, failed or closed. */
  #isSettled = false;
  #waker: Waker | undefined;
  /** For waiting calls of `receive`. */
  #settled: Deferred<void> | undefined;

  accept(value: T): void {
    const state = this.#state;
    if (state.phase === "over" && state.isReceiverGone) throw new ChannelClosedError("the receiver is gone");
    if (this.#isSettled) {
      throw new ChannelClosedError(state.phase === "failed" ? "the channel is closed" : "the value was sent already");
    }
    this.settle({ phase: "sent", value });
  }

  settle(outcome: State<T>): void {
    if (this.#state.phase !== "waiting") return;
    this.#state = outcome;
    this.#isSettled = true;
    this.#wake();
  }

  override poll(waker: Waker): Polled<T> {
    const state = this.#state;
    switch (state.phase) {
      case "waiting":
        this.#waker = waker;
        return PENDING;
      case "sent":
        this.#state = { phase: "over", isReceiverGone: false };
        return state.value;
      case "failed":
        this.#state = { phase: "over", isReceiverGone: false };
        throw state.error;
      case "over":
        return END;
      default:
        return state satisfies never;
    }
  }

  async receive(signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    while (this.#state.phase === "waiting") {
      this.#settled ??= deferred<void>();
      await abortable(this.#settled.promise, signal);
    }
    const state = this.#state;
    if (state.phase === "over") {
      throw new NothingToReceiveError(
        state.isReceiverGone ? "the receiver is closed" : "the value was received already",
      );
    }
    this.#state = { phase: "over", isReceiverGone: false };
    if (state.phase === "failed") throw state.error;
    return state.value;
  }

  override close(): undefined {
    if (this.#state.phase !== "over") this.#state = { phase: "over", isReceiverGone: true };
    this.#wake();
  }

  #wake(): void {
    this.#settled?.resolve();
    this.#settled = undefined;
    const waker = this.#waker;
    this.#waker = undefined;
    waker?.wake();
  }
}
