import type { EventEmitter } from "node:events";
import { Queue } from "../channels/queue.js";
import { checkCount } from "../check-count.js";
import { ChannelFullError } from "../errors.js";
import { Stage } from "../stage.js";
import { END, PENDING, type Polled, type Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

export interface FromEventsOptions<T> {
  /** How many events may wait to be asked for. */
  readonly capacity: number;
  /** What becomes of one more, since an emitter cannot be made to wait: the stream fails, or an event is left out. */
  readonly overflow: "fail" | "drop-oldest" | "drop-newest";
  /** An event that ends the stream, after those before it. */
  readonly until?: string | undefined;
  /** Makes an item of what a listener is called with. Default: its first argument. */
  readonly toItem?: ((...args: never[]) => T) | undefined;
}

/** An `EventTarget`, as much of it as is needed: Node's types know no DOM. */
export interface EventSourceTarget {
  addEventListener(name: string, listener: (event: unknown) => void): void;
  removeEventListener(name: string, listener: (event: unknown) => void): void;
}

type Listener = (...args: unknown[]) => void;

/**
 * What an `EventEmitter` or an `EventTarget` emits under `name`, in order: the first argument of each event, or what
 * `toItem` makes of all. It listens from the call on, so that nothing is missed before the first pull, and holds up to
 * `capacity` events; one more fails the stream with a `ChannelFullError` after those that it holds, or leaves out the
 * oldest or the newest.
 *
 * It ends with the event `until`; an emitter's "error" event fails it, after the events before it. Whoever does not read
 * it to its end closes it: with the end the listeners go. What `toItem` throws fails the stream as well. O(1) an event.
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
  /** Comes when the events before it were given. */
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
    // An emitter goes on with the listeners that it had when it began.
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
