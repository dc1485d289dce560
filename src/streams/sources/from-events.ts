import type { EventEmitter } from "node:events";
import { Queue } from "../channels/queue.js";
import { checkCount } from "../check-count.js";
import { ChannelFullError } from "../errors.js";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

export interface FromEventsOptions<T> {
  /** How many events may be held. */
  readonly capacity: number;
  /** What happens to one more, since an emitter cannot be made to wait: the stream fails, or an event is dropped. */
  readonly overflow: "fail" | "drop-oldest" | "drop-newest";
  /** An event that ends the stream, after those before it. */
  readonly until?: string | undefined;
  /** Makes an item of the arguments of a listener. Default: the first argument. */
  readonly toItem?: ((...args: never[]) => T) | undefined;
}

/** The needed part of an `EventTarget`: Node's types have no DOM. */
export interface EventSourceTarget {
  addEventListener(name: string, listener: (event: unknown) => void): void;
  removeEventListener(name: string, listener: (event: unknown) => void): void;
}

type Listener = (...args: unknown[]) => void;

/**
 * The events `name` of an `EventEmitter` or an `EventTarget`, in order: the first argument of each event, or the result of
 * `toItem` for all arguments. It listens from the call on, so it misses no event before the first pull. It holds up to
 * `capacity` events. One more drops the oldest or the newest, or fails the stream with a `ChannelFullError`, after the
 * events that it holds.
 *
 * It ends with the event `until`. An emitter's "error" event fails it, after the events before it; an error of `toItem`
 * fails it too. The end removes the listeners, so close a stream that you do not read to its end. O(1) an event.
 *
 * @example
 * const { EventEmitter } = await import("node:events");
 * const door = new EventEmitter();
 * const visitors = fromEvents<string>(door, "enter", { capacity: 2, overflow: "drop-oldest", until: "shut" });
 * for (const name of ["ann", "bob", "eve"]) door.emit("enter", name);
 * door.emit("shut");
 * console.log(await collect(visitors, { limit: 10 })); // [ 'bob', 'eve' ]
 */
export function fromEvents<T>(
  emitter: EventEmitter | EventSourceTarget,
  name: string,
  options: FromEventsOptions<T>,
): Stream<T> {
  checkCount("hold", options.capacity, 1);
  return new FromEvents(emitter, name, options);
}

class FromEvents<T> extends Stage<T> {
  readonly #options: FromEventsOptions<T>;
  readonly #queue = new Queue<T>();
  readonly #stopListening: () => void;
  /** The end or the error, which comes after the held events. */
  #outcome: { readonly failure: { readonly error: unknown } | undefined } | undefined;
  #waker: Waker | undefined;

  constructor(emitter: EventEmitter | EventSourceTarget, name: string, options: FromEventsOptions<T>) {
    super();
    this.#options = options;
    const listeners: [string, Listener][] = [[name, this.#onEvent]];
    if (options.until !== undefined) listeners.push([options.until, this.#onEnd]);
    if ("addEventListener" in emitter) {
      for (const [event, listener] of listeners) emitter.addEventListener(event, listener);
      this.#stopListening = () => {
        for (const [event, listener] of listeners) emitter.removeEventListener(event, listener);
      };
    } else {
      if (name !== "error" && options.until !== "error") listeners.push(["error", this.#onError]);
      for (const [event, listener] of listeners) emitter.on(event, listener);
      this.#stopListening = () => {
        for (const [event, listener] of listeners) emitter.off(event, listener);
      };
    }
  }

  protected override produce(waker: Waker): Polled<T> {
    if (this.#queue.length > 0) return this.#queue.shift() as T;
    if (this.#outcome === undefined) {
      this.#waker = waker;
      return PENDING;
    }
    if (this.#outcome.failure !== undefined) throw this.#outcome.failure.error;
    return END;
  }

  protected override dispose(): undefined {
    this.#stopListening();
    this.#queue.clear();
    this.#wake();
  }

  #settle(failure: { readonly error: unknown } | undefined): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = { failure };
    this.#stopListening();
    this.#wake();
  }

  #wake(): void {
    const waker = this.#waker;
    this.#waker = undefined;
    waker?.wake();
  }

  readonly #onEvent = (...args: unknown[]): void => {
    // An emitter still calls the listeners that it had when it began to emit.
    if (this.#outcome !== undefined || this.isOver) return;
    const { capacity, overflow, toItem } = this.#options;
    if (this.#queue.length === capacity) {
      if (overflow === "fail") this.#settle({ error: new ChannelFullError(capacity) });
      if (overflow !== "drop-oldest") return;
      this.#queue.shift();
    }
    try {
      this.#queue.push(toItem === undefined ? (args[0] as T) : toItem(...(args as never[])));
      this.#wake();
    } catch (error) {
      this.#settle({ error });
    }
  };

  readonly #onEnd = (): void => this.#settle(undefined);

  readonly #onError = (error: unknown): void => this.#settle({ error });
}
