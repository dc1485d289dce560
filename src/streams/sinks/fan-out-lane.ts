import { channel, type Receiver, type Sender } from "../channels/channel.js";
import { ChannelClosedError, TooSlowError } from "../errors.js";
import { from } from "../sources/from.js";
import { END, PENDING, type Polled, Stream } from "../stream.js";
import type { Waker } from "../waits/waiter.js";

/** What happens to an item when a sink's channel is full. */
export type FanOutPolicy = "wait" | "drop-newest" | "drop-oldest" | "disconnect";

export interface FanOutSink<T> {
  /** Takes the items. It leaves when it closes its stream, by `break` for one, and when its promise settles. */
  readonly sink: (items: Stream<T>, signal: AbortSignal) => PromiseLike<unknown>;
  /**
   * When the sink has `capacity` items before it: "wait" holds the source back; "drop-newest" leaves this item out;
   * "drop-oldest" leaves out the one that waits longest; "disconnect" aborts its signal with a `TooSlowError`, and its
   * stream gives what it has, then that error.
   */
  readonly policy: FanOutPolicy;
  readonly capacity: number;
}

/** What became of one sink. */
export interface SinkReport {
  /** How many items it pulled. */
  readonly delivered: number;
  /** How many its policy left out. */
  readonly dropped: number;
  /** "finished" got the end (or the source's error) and resolved; "left" resolved before that. */
  readonly outcome: "finished" | "left" | "disconnected" | "failed";
  /** What a failed sink threw, or a disconnected one got. */
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
  /** What it was offered, and what it had pulled, when it was last given turns. */
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
   * Whether the event loop should have a turn before the next item, which may be lost otherwise to a sink that had no
   * chance to take those before it. A sink that keeps taking has two turns, since it may give up one itself, for as many
   * items as it holds; one that took nothing in them is stalled, and gets no more until it does.
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

  /** Call it before a turn is given. */
  noteTurn(): void {
    if (this.#isFull) this.#turnsLeft -= 1;
  }

  /** Hands it an item; a promise means that it has no room yet, and never rejects. */
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

  /** The sink gets the end, or the error, after the items that it has. */
  end(failure: { readonly error: unknown } | undefined): void {
    this.#isFed = false;
    if (failure === undefined) this.#sender.close();
    else this.#sender.fail(failure.error);
  }

  /** The sink gets the error instead of the items that it has. */
  abort(reason: unknown): void {
    this.#isFed = false;
    this.#sender.fail(reason);
    // A send that waits moves up when there is room.
    while (this.#receiver.takeAvailable(Infinity).length > 0);
    this.#controller.abort(reason);
  }

  /** Starts the sink. Settles, and never rejects, when the sink did. */
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

/** Rejects with nothing else: the sink left while an item waited for room. */
function ignoreClosed(error: unknown): void {
  if (!(error instanceof ChannelClosedError)) throw error;
}

/** What a sink pulls: its channel, counted. */
class LaneItems<T> extends Stream<T> {
  delivered = 0;
  /** Whether it gave the end or an error by itself. */
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
