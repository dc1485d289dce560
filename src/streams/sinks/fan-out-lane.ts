import { channel, type Receiver, type Sender } from "../channels/channel.js";
import { ChannelClosedError, TooSlowError } from "../errors.js";
import { from } from "../sources/from.js";
import { END, PENDING, type Polled, Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/** What happens to an item when a sink's channel is full. */
export type FanOutPolicy = "wait" | "drop-newest" | "drop-oldest" | "disconnect";

export interface FanOutSink<T> {
  /** Takes the items. It leaves when it closes its stream, for example by `break`, or when its promise settles. */
  readonly sink: (items: Stream<T>, signal: AbortSignal) => PromiseLike<unknown>;
  /**
   * What happens to an item when `capacity` items wait for the sink. "wait": the source waits. "drop-newest": this item is
   * dropped. "drop-oldest": the oldest waiting item is dropped. "disconnect": the sink's signal aborts with a
   * `TooSlowError`, and its stream fails with it after the waiting items.
   */
  readonly policy: FanOutPolicy;
  readonly capacity: number;
}

/** The outcome of one sink. */
export interface SinkReport {
  /** How many items it pulled. */
  readonly delivered: number;
  /** How many items its policy dropped. */
  readonly dropped: number;
  /** "finished": it got the end (or the source's error) and resolved. "left": it resolved before that. */
  readonly outcome: "finished" | "left" | "disconnected" | "failed";
  /** The error of a failed sink, or the `TooSlowError` of a disconnected one. */
  readonly error?: unknown;
}

const turnsMax = 2;

/** One sink of a fan-out, on its own bounded channel. */
export class FanOutLane<T> {
  readonly #sink: FanOutSink<T>["sink"];
  readonly #policy: FanOutPolicy;
  readonly #capacity: number;
  readonly #sender: Sender<T>;
  readonly #receiver: Receiver<T>;
  readonly #items: LaneItems<T>;
  readonly #onLeave: () => void;
  readonly #controller = new AbortController();
  #isFed = true;
  #dropped = 0;
  #disconnection: TooSlowError | undefined;
  #turnsLeft = turnsMax;
  /** The items offered since it last got turns, and the number of items that it had pulled then. */
  #offered = 0;
  #deliveredBefore = 0;

  /** `onLeave` is called when the sink takes no more items. */
  constructor(options: FanOutSink<T>, onLeave: () => void) {
    this.#sink = options.sink;
    this.#policy = options.policy;
    this.#capacity = options.capacity;
    const { sender, receiver } = channel<T>({ capacity: options.capacity });
    this.#sender = sender;
    this.#receiver = receiver;
    this.#onLeave = onLeave;
    this.#items = new LaneItems(from(receiver), this.#leave);
  }

  /** Whether the sink takes more items. */
  get isFed(): boolean {
    return this.#isFed;
  }

  /**
   * Whether the event loop should get a turn before the next item. Otherwise the sink might lose an item only because it
   * had no chance to take the items before it. A sink that keeps taking gets up to two turns every `capacity` items: two,
   * since the sink may yield once itself. A sink that takes nothing in two turns is stalled: it gets none until it takes an
   * item.
   */
  needsTurn(): boolean {
    if (!this.#isFed || this.#policy === "wait" || !this.#isFull) return false;
    if (this.#offered >= this.#capacity && this.#items.delivered > this.#deliveredBefore) {
      this.#offered = 0;
      this.#deliveredBefore = this.#items.delivered;
      this.#turnsLeft = turnsMax;
    }
    return this.#turnsLeft > 0;
  }

  /** Call it before each turn. */
  noteTurn(): void {
    if (this.#isFull) this.#turnsLeft -= 1;
  }

  /** Offers an item. A promise means that there is no room yet; it never rejects. */
  offer(item: T): Promise<void> | undefined {
    if (!this.#isFed) return undefined;
    this.#offered += 1;
    if (this.#sender.trySend(item)) return undefined;
    switch (this.#policy) {
      case "wait":
        return this.#sender.send(item).catch(ignoreClosed);
      case "drop-newest":
        this.#dropped += 1;
        return undefined;
      case "drop-oldest":
        this.#dropped += this.#receiver.takeAvailable(1).length;
        this.#sender.trySend(item);
        return undefined;
      case "disconnect":
        this.#disconnection = new TooSlowError(this.#capacity);
        this.#isFed = false;
        this.#sender.fail(this.#disconnection);
        this.#controller.abort(this.#disconnection);
        return undefined;
      default:
        return this.#policy satisfies never;
    }
  }

  /** The sink gets the end, or the error, after the waiting items. */
  end(failure: { readonly error: unknown } | undefined): void {
    this.#isFed = false;
    if (failure === undefined) this.#sender.close();
    else this.#sender.fail(failure.error);
  }

  /** The sink gets the error instead of the waiting items. */
  abort(reason: unknown): void {
    this.#isFed = false;
    this.#sender.fail(reason);
    // Repeated, since a waiting send moves up when there is room.
    while (this.#receiver.takeAvailable(Infinity).length > 0);
    this.#controller.abort(reason);
  }

  /** Runs the sink. Resolves when the sink has settled; never rejects. */
  async run(): Promise<SinkReport> {
    let failure: { readonly error: unknown } | undefined;
    try {
      const sink = this.#sink;
      await sink(this.#items, this.#controller.signal);
    } catch (error) {
      failure = { error };
    }
    const hadAll = this.#items.isOver;
    await this.#items.close();
    const counts = { delivered: this.#items.delivered, dropped: this.#dropped };
    if (this.#disconnection !== undefined) return { ...counts, outcome: "disconnected", error: this.#disconnection };
    if (failure !== undefined) return { ...counts, outcome: "failed", error: failure.error };
    return { ...counts, outcome: hadAll ? "finished" : "left" };
  }

  get #isFull(): boolean {
    return this.#sender.size >= this.#capacity;
  }

  readonly #leave = (): void => {
    this.#receiver.close();
    if (!this.#isFed) return;
    this.#isFed = false;
    this.#onLeave();
  };
}

/** The only expected error: the sink left while an item waited for room. */
function ignoreClosed(error: unknown): void {
  if (!(error instanceof ChannelClosedError)) throw error;
}

/** The stream of a sink: the items of its channel, counted. */
class LaneItems<T> extends Stream<T> {
  delivered = 0;
  /** Whether it has returned the end or an error, without having been closed before. */
  isOver = false;
  #isClosed = false;
  readonly #source: Stream<T>;
  readonly #onClose: () => void;

  constructor(source: Stream<T>, onClose: () => void) {
    super();
    this.#source = source;
    this.#onClose = onClose;
  }

  override poll(waker: Waker): Polled<T> {
    try {
      const item = this.#source.poll(waker);
      if (item === END) this.isOver = !this.#isClosed;
      else if (item !== PENDING) this.delivered += 1;
      return item;
    } catch (error) {
      this.isOver = true;
      throw error;
    }
  }

  override close(): Promise<void> | undefined {
    if (!this.isOver) this.#isClosed = true;
    const closing = this.#source.close();
    this.#onClose();
    return closing;
  }
}
