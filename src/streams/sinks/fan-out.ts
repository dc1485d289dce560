import { inBothStyles } from "../both-styles.js";
import { from, type Source } from "../sources/from.js";
import { END, type Stream } from "../stream.js";
import { isTurnOver, yieldToEventLoop } from "../waits/turn.js";
import { FanOutLane, type FanOutSink, type SinkReport } from "./fan-out-lane.js";

/**
 * Gives every item to every sink, in order, through a bounded channel for each. The sink's policy says what happens when
 * its channel is full. The slowest sink with the policy "wait" sets the pace: up to its capacity and one item are pulled
 * ahead of it. A source that is faster than the event loop costs a ready sink no item: before an item is dropped for a
 * sink that keeps taking, the event loop gets a turn, once or twice every `capacity` items.
 *
 * A sink leaves when it closes its stream or settles. If one fails, the others continue. When all have left, the source is
 * closed. When the source ends or fails, the sinks get the end or its error after their items. `fanOut` waits for all
 * sinks, including those that left, and resolves with a report on each.
 *
 * Rejects with the source's error. When the signal aborts, the source is closed, the sinks' own signals abort, and their
 * streams fail with the reason at once; `fanOut` rejects with it when the sinks have settled. The error of a sink is in its
 * report. O(sinks) an item.
 *
 * @example
 * const report = await fanOut(range(0, 100), {
 *   sum: { sink: (items) => fold(items, (sum, n) => sum + n, 0), policy: "wait", capacity: 8 },
 *   some: { sink: (items) => collect(take(items, 2), { limit: 2 }), policy: "drop-newest", capacity: 8 },
 * });
 * console.log(report.sum); // { delivered: 100, dropped: 0, outcome: 'finished' }
 * console.log(report.some); // { delivered: 2, dropped: 0, outcome: 'left' }
 */
export function fanOut<T, Name extends string>(
  sinks: Readonly<Record<Name, FanOutSink<T>>>,
  signal?: AbortSignal,
): (source: Source<T>) => Promise<Record<Name, SinkReport>>;
export function fanOut<T, Name extends string>(
  source: Source<T>,
  sinks: Readonly<Record<Name, FanOutSink<T>>>,
  signal?: AbortSignal,
): Promise<Record<Name, SinkReport>>;
export function fanOut(...args: readonly unknown[]): unknown {
  return inBothStyles(giveToAll, args);
}

async function giveToAll<T>(
  source: Source<T>,
  sinks: Readonly<Record<string, FanOutSink<T>>>,
  signal?: AbortSignal,
): Promise<Record<string, SinkReport>> {
  for (const [name, { capacity }] of Object.entries(sinks)) {
    if (!(capacity >= 1 && capacity < Infinity)) {
      throw new RangeError(`Cannot give sink "${name}" a channel with capacity ${capacity}`);
    }
  }
  return new FanOut(from(source), sinks).run(signal);
}

class FanOut<T> {
  readonly #source: Stream<T>;
  readonly #lanes = new Map<string, FanOutLane<T>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(source: Stream<T>, sinks: Readonly<Record<string, FanOutSink<T>>>) {
    this.#source = source;
    for (const [name, sink] of Object.entries(sinks)) this.#lanes.set(name, new FanOutLane(sink, this.#onLeave));
  }

  async run(signal: AbortSignal | undefined): Promise<Record<string, SinkReport>> {
    const running = [...this.#lanes].map(async ([name, lane]) => [name, await lane.run()] as const);
    const onAbort = () => this.#abort(signal?.reason);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort);
    try {
      await this.#pump();
      await this.#source.close();
    } catch (error) {
      this.#failure ??= { error };
    }
    for (const lane of this.#lanes.values()) lane.end(this.#failure);
    const reports = Object.fromEntries(await Promise.all(running));
    signal?.removeEventListener("abort", onAbort);
    if (this.#failure !== undefined) throw this.#failure.error;
    return reports;
  }

  async #pump(): Promise<void> {
    while (this.#failure === undefined && this.#some(isFed)) {
      if (isTurnOver()) await this.#giveTurn();
      while (this.#some(needsTurn)) await this.#giveTurn();
      // If the source was closed meanwhile, this returns the end.
      const pulled = this.#source.pull();
      const item = pulled instanceof Promise ? await pulled : pulled;
      if (item === END || this.#failure !== undefined) return;
      const waiting = this.#offer(item);
      if (waiting !== undefined) await Promise.all(waiting);
    }
  }

  #offer(item: T): Promise<void>[] | undefined {
    let waiting: Promise<void>[] | undefined;
    for (const lane of this.#lanes.values()) {
      const sent = lane.offer(item);
      if (sent !== undefined) (waiting ??= []).push(sent);
    }
    return waiting;
  }

  async #giveTurn(): Promise<void> {
    for (const lane of this.#lanes.values()) lane.noteTurn();
    await yieldToEventLoop();
  }

  #some(is: (lane: FanOutLane<T>) => boolean): boolean {
    for (const lane of this.#lanes.values()) if (is(lane)) return true;
    return false;
  }

  /** When no sink is left, the source is closed at once, even during a pull. */
  readonly #onLeave = (): void => {
    if (!this.#some(isFed)) this.#closeSource();
  };

  #abort(reason: unknown): void {
    this.#failure ??= { error: reason };
    this.#closeSource();
    for (const lane of this.#lanes.values()) lane.abort(reason);
  }

  /** A rejection is dropped here: `run` closes the source again, and gets the same one. */
  #closeSource(): void {
    try {
      this.#source.close()?.catch(() => undefined);
    } catch (error) {
      this.#failure ??= { error };
    }
  }
}

type FanOutLaneState = Pick<FanOutLane<unknown>, "isFed" | "needsTurn">;
const isFed = (lane: FanOutLaneState): boolean => lane.isFed;
const needsTurn = (lane: FanOutLaneState): boolean => lane.needsTurn();
