import { type Produced, Stage } from "../stage.js";
import { END, type End, PENDING, type Pending, type Stream } from "../stream.js";
import { sleep } from "../waits/abort.js";
import { type Backoff, backoff, type BackoffOptions } from "../waits/backoff.js";
import { systemTimers, type Timers } from "../waits/timers.js";
import type { Waker } from "../waits/waiter.js";
import { from, isPromiseLike, type Source } from "./from.js";

/** The longest delay that a timer accepts: a server may ask for more. */
const delayMsMax = 2 ** 31 - 1;

/** What `open` receives. */
export interface OpenContext<T> {
  /** How often the source was lost since the last progress; 0 at first. */
  readonly attempt: number;
  /** The last item, to resume after; `undefined` before the first. */
  readonly last: T | undefined;
  /** Aborts when the source was lost or the stream is closed. */
  readonly signal: AbortSignal;
}

export type Open<T> = (context: OpenContext<T>) => Source<T> | PromiseLike<Source<T>>;

/** How a source was lost. */
export type Loss = { readonly after: "end" } | { readonly after: "error"; readonly error: unknown };

/** How the source was lost, how often since the last progress, and how long the next wait is. */
export type ReopeningEvent = Loss & { readonly attempt: number; readonly delayMs: number };

export interface ReopeningOptions<T> extends BackoffOptions {
  /** Whether to reopen after an error; otherwise it ends the stream. Default: always. */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined;
  /** The shortest wait after this error, in milliseconds, such as its server asked for. */
  readonly delayOf?: ((error: unknown) => number | undefined) | undefined;
  /** Whether an item counts as progress, after which waits begin short again. Default: every item does. */
  readonly isProgress?: ((item: T) => boolean) | undefined;
  /** How long to keep trying, in milliseconds from the first loss after the last progress. No wait ends later than that. */
  readonly giveUpAfterMs?: number | undefined;
  /**
   * Waits before the next source: for `delayMs`, or less if it learns that the server is back. Rejects with the signal's
   * reason when that aborts. Default: a timer.
   */
  readonly wait?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
  /** The clock of the waits and of `giveUpAfterMs`. Default: the process's clock. */
  readonly timers?: Timers | undefined;
}

export interface ReopeningPolicy<T> extends ReopeningOptions<T> {
  readonly maxRetries: number;
  readonly whenEnded: "reopen" | "end";
  readonly onReopening: ((event: ReopeningEvent) => void) | undefined;
}

/** The items of one source after the other, each opened when the previous one was lost. For `retry` and `reconnecting`. */
export class Reopening<T> extends Stage<T> {
  readonly #open: Open<T>;
  readonly #policy: ReopeningPolicy<T>;
  readonly #waits: Backoff;
  readonly #timers: Timers;
  #source: Stream<T> | undefined;
  /** Aborts the wait before a source, its `open`, and the source itself. */
  #controller = new AbortController();
  #attempt = 0;
  #failingSince: number | undefined;
  #last: T | undefined;

  constructor(open: Open<T>, policy: ReopeningPolicy<T>) {
    super();
    this.#open = open;
    this.#policy = policy;
    this.#waits = backoff(policy);
    this.#timers = policy.timers ?? systemTimers;
  }

  protected override produce(waker: Waker): Produced<T> {
    if (this.#source === undefined) return this.#begin(waker);
    let item: T | End | Pending;
    try {
      item = this.#source.poll(waker);
    } catch (error) {
      return this.#lose({ after: "error", error });
    }
    if (item === PENDING) return PENDING;
    if (item === END) return this.#policy.whenEnded === "end" ? END : this.#lose({ after: "end" });
    this.#last = item;
    if (this.#attempt > 0 && (this.#policy.isProgress?.(item) ?? true)) this.#recovered();
    return item;
  }

  protected override dispose(): Promise<void> | undefined {
    // Closed before the abort, so that its waits end and do not fail.
    const closing = this.#source?.close();
    this.#controller.abort(new Error("The stream was closed"));
    return closing;
  }

  #begin(waker: Waker): Produced<T> {
    const { signal } = this.#controller;
    let opened: Source<T> | PromiseLike<Source<T>>;
    try {
      opened = this.#open({ attempt: this.#attempt, last: this.#last, signal });
      if (isPromiseLike(opened)) return this.#beginLater(opened);
      this.#source = from(opened);
    } catch (error) {
      return this.#lose({ after: "error", error });
    }
    return this.produce(waker);
  }

  async #beginLater(opening: PromiseLike<Source<T>>): Promise<Pending> {
    try {
      this.#source = from(await opening);
    } catch (error) {
      if (this.isOver) return PENDING;
      return this.#lose({ after: "error", error }) as Promise<Pending>;
    }
    // Closed during `open`: the new source is not needed, and an error of its closing is dropped.
    if (this.isOver) this.#source.close()?.catch(() => undefined);
    return PENDING;
  }

  /** Waits before the next source. Returns the end, or throws, if there is no next one. */
  async #lose(loss: Loss): Promise<Pending | End> {
    this.#source = undefined;
    this.#controller.abort(new Error("The source was lost"));
    this.#controller = new AbortController();
    const delayMs = this.#delayAfter(loss);
    if (delayMs === undefined) {
      if (loss.after === "error") throw loss.error;
      return END;
    }
    this.#attempt += 1;
    // Called outside the poll, so that the callback may close the stream.
    await Promise.resolve();
    if (!this.isOver) this.#policy.onReopening?.({ ...loss, attempt: this.#attempt, delayMs });
    if (!this.isOver) await this.#wait(delayMs, this.#controller.signal);
    return PENDING;
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return this.#policy.wait?.(delayMs, signal) ?? sleep(delayMs, this.#timers, signal);
  }

  /** How long to wait; `undefined` means to give up. */
  #delayAfter(loss: Loss): number | undefined {
    const { maxRetries, giveUpAfterMs = Infinity, isRetryable, delayOf } = this.#policy;
    if (loss.after === "error" && isRetryable?.(loss.error) === false) return undefined;
    if (this.#attempt >= maxRetries) return undefined;
    const now = this.#timers.monotonicMs();
    this.#failingSince ??= now;
    const delayMsMin = loss.after === "error" ? (delayOf?.(loss.error) ?? 0) : 0;
    const delayMs = Math.min(Math.max(this.#waits.next(), delayMsMin), delayMsMax);
    return now - this.#failingSince + delayMs >= giveUpAfterMs ? undefined : delayMs;
  }

  #recovered(): void {
    this.#attempt = 0;
    this.#failingSince = undefined;
    this.#waits.reset();
  }
}
