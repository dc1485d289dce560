/**
 * The one driver of all readers. It takes room for a page, has the page read, hands it on, and gives the room back when
 * the page was delivered. A source decides what comes next: a read, a follow, a listing or a watch.
 *
 * There is no queue. The generator is resumed when its last message was delivered, so nothing is read for a client that
 * does not read. Only a stream that has earned large pages has the next page of its history read ahead.
 */

import type { BufferPool, FollowWaiting, Limits } from "../../core/index.js";
import type { StoredTopic } from "../../store/index.js";
import { abortable } from "../../streams/index.js";
import type { Clock, LiveStream, Metrics } from "../../telemetry/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { StampClock } from "../topics/stamp-clock.js";
import type { Topic } from "../topics/topic.js";
import type { TopicCache, TopicLease } from "../topics/topic-cache.js";
import type { PageAllowance, PageBudget, PageGrant } from "./page-allowance.js";
import type { PageReader } from "./page-reader.js";

/** What all readers of a node share. */
export interface ReadingParts {
  readonly cache: TopicCache;
  readonly lanes: DatabaseLanes;
  readonly pages: PageReader;
  readonly pageBudget: PageBudget;
  readonly buffers: BufferPool;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Decides which lifetimes are over. */
  readonly stampClock: Pick<StampClock, "now">;
  /** In [0, 1): spreads the heartbeats. */
  readonly random: () => number;
}

/** What comes next: a page, a wait for the topic's tip, the end, or a message that is ready. */
export type ReaderStep<Message extends object> = "read" | "wait" | "end" | Message;

export interface Taken<Message> {
  /** Undefined: there is no message, and the driver takes the next step. */
  readonly message: Message | undefined;
  /** The bytes that were examined for it. They earn larger pages, even if little of them is left. */
  readonly bytes: number;
}

/**
 * Decides what a reader gets. The driver asks for a step only when everything before was delivered, so the source may
 * move its cursor when it makes a message (invariant 8).
 */
export interface PageSource<Message extends object, Outcome> {
  /** The cursor and its end, for InspectService. Unset: the source does not read in the order of offsets. */
  readonly offset?: number;
  readonly end?: number;
  /** Whether another page certainly follows, so that it may be read ahead. Unset: never. */
  readonly readsOn?: boolean;
  /** Throws when the topic is over for its reader. */
  step(): ReaderStep<Message>;
  /** Reads a page at the cursor, of about `bytes`, from memory or from the database. Does not move the cursor. */
  read(bytes: number, signal: AbortSignal): Outcome | Promise<Outcome>;
  /** Moves the cursor behind what was read. Throws when that ends the stream. */
  take(outcome: Outcome, bytes: number): Taken<Message>;
  /** Says why nothing comes. Unset: the source sends no heartbeats. */
  heartbeat?(waiting: FollowWaiting): Message;
  /** The reader leaves. */
  leave?(): void;
}

/** A call that reads. */
export interface ReadingCall {
  readonly topic: string;
  readonly stream: LiveStream;
  readonly signal: AbortSignal;
}

/** Makes the source of a call. */
export interface SourceOpener<Source> {
  /**
   * Opens it on a topic that this node knows, before the database is asked whether its name still means that topic: by its
   * own first statement it finds out. Undefined: the name has to be looked up. Unset: always.
   */
  known?(topic: Topic): Promise<Source | undefined>;
  /** Opens it on the topic as the database has it. */
  fresh(topic: Topic, stored: StoredTopic): Source | Promise<Source>;
}

/** Drives the source that `opener` makes. */
export async function* streamPages<Message extends object, Outcome>(
  parts: ReadingParts,
  call: ReadingCall,
  opener: SourceOpener<PageSource<Message, Outcome>>,
): AsyncGenerator<Message, void, undefined> {
  call.stream.waitFor("database");
  const { lease, source } = await openSource(parts.cache, call, opener);
  let pages: PageStream<Message, Outcome> | undefined;
  try {
    pages = new PageStream(parts, call, { topic: lease.topic, source });
    while (await pages.advance()) {
      // The message has no name here, and there is no `yield*`: a suspended generator keeps its registers, and so kept
      // each stalled stream's page once more (invariant 4).
      yield pages.message();
      pages.delivered();
    }
  } finally {
    pages?.leave();
    lease.release();
  }
}

async function openSource<Source>(
  cache: TopicCache,
  { topic, signal }: ReadingCall,
  opener: SourceOpener<Source>,
): Promise<{ readonly lease: TopicLease; readonly source: Source }> {
  const known = opener.known === undefined ? undefined : cache.acquireKnown(topic);
  if (known !== undefined) {
    const source = await orRelease(known, () => opener.known?.(known.topic));
    if (source !== undefined) return { lease: known, source };
    known.release();
  }
  const { lease, stored } = await cache.acquireFresh(topic, signal);
  return { lease, source: await orRelease(lease, () => opener.fresh(lease.topic, stored)) };
}

/** Releases the lease if `work` throws. */
async function orRelease<Result>(lease: TopicLease, work: () => Result): Promise<Awaited<Result>> {
  try {
    return await work();
  } catch (error) {
    lease.release();
    throw error;
  }
}

/**
 * How long a stream stays silent before it says why, in milliseconds. Spread, so that the streams of a node do not all
 * send at once.
 */
export function heartbeatAfterMs({ limits, random }: Pick<ReadingParts, "limits" | "random">): number {
  const { heartbeatMinMs, heartbeatMaxMs } = limits;
  return heartbeatMinMs + random() * (heartbeatMaxMs - heartbeatMinMs);
}

/** A read that is under way, with the room for its page. */
interface Fetch<Outcome> {
  readonly grant: PageGrant;
  readonly outcome: Outcome | Promise<Outcome>;
}

class PageStream<Message extends object, Outcome> {
  readonly #parts: ReadingParts;
  readonly #stream: LiveStream;
  readonly #signal: AbortSignal;
  readonly #topic: Topic;
  readonly #source: PageSource<Message, Outcome>;
  readonly #allowance: PageAllowance;
  /** Read ahead, or still running while heartbeats are sent. */
  #fetch: Fetch<Outcome> | undefined;
  #message: Message | undefined;
  /** Of the page that is being delivered: its room, and the bytes that were examined for it. */
  #grant: PageGrant | undefined;
  #bytes = 0;

  constructor(
    parts: ReadingParts,
    { stream, signal }: ReadingCall,
    { topic, source }: { readonly topic: Topic; readonly source: PageSource<Message, Outcome> },
  ) {
    this.#parts = parts;
    this.#stream = stream;
    this.#signal = signal;
    this.#topic = topic;
    this.#source = source;
    this.#allowance = parts.pageBudget.forStream();
    stream.measureLag(() => (source.end === undefined ? 0 : Math.abs(source.end - stream.nextOffset)));
  }

  /** Makes the next message. False: there is none. Throws when the topic is over or the signal aborts. */
  async advance(): Promise<boolean> {
    do {
      this.#signal.throwIfAborted();
      if (this.#source.offset !== undefined) this.#stream.nextOffset = this.#source.offset;
      // Read before the step is chosen, so that the wait sees every later change.
      const { version } = this.#topic.tip;
      const step = this.#source.step();
      if (step === "end") return false;
      if (step === "read") this.#message = await this.#read();
      else if (step === "wait") this.#message = await this.#wait(version);
      else {
        // The step may have moved the cursor. A page that was read ahead belongs to the old place.
        this.#dropFetch();
        this.#message = step;
      }
    } while (this.#message === undefined);
    return true;
  }

  /** Gives what `advance` made, and forgets it. */
  message(): Message {
    const message = this.#message as Message;
    this.#message = undefined;
    return message;
  }

  /** The last message was delivered. */
  delivered(): void {
    this.#allowance.delivered(this.#bytes);
    this.#bytes = 0;
    this.#grant?.release();
    this.#grant = undefined;
  }

  leave(): void {
    this.#source.leave?.();
    this.#grant?.release();
    this.#dropFetch();
  }

  /** Reads a page. Gives a heartbeat if the database does not answer in time. */
  async #read(): Promise<Message | undefined> {
    const source = this.#source;
    const { grant, outcome: reading } = (this.#fetch ??= this.#startFetch());
    if (reading instanceof Promise) {
      this.#stream.waitFor("database");
      if (!(await this.#comesInTime(reading))) return source.heartbeat?.("database");
    }
    this.#fetch = undefined;
    this.#grant = grant;
    const outcome = await reading;
    this.#stream.waitFor("nothing");
    const { message, bytes } = source.take(outcome, grant.bytes);
    this.#bytes = bytes;
    if (message === undefined) this.delivered();
    else if (source.readsOn === true && this.#allowance.isEarned) this.#fetch = this.#startFetch();
    return message;
  }

  #startFetch(): Fetch<Outcome> {
    const grant = this.#allowance.take();
    const outcome = this.#source.read(grant.bytes, this.#signal);
    // Awaited later, or never if the reader leaves.
    if (outcome instanceof Promise) outcome.catch(() => undefined);
    return { grant, outcome };
  }

  #dropFetch(): void {
    this.#fetch?.grant.release();
    this.#fetch = undefined;
  }

  /** Waits for a page. False: a heartbeat is due first. */
  async #comesInTime(page: Promise<unknown>): Promise<boolean> {
    if (this.#source.heartbeat === undefined) return true;
    let cancelTimer = (): void => {};
    const due = new Promise<boolean>((resolve) => {
      cancelTimer = this.#parts.clock.startTimer(heartbeatAfterMs(this.#parts), () => resolve(false));
    });
    const settled = page.then(
      () => true,
      () => true,
    );
    try {
      return await abortable(Promise.race([settled, due]), this.#signal);
    } finally {
      cancelTimer();
    }
  }

  /** Waits for the tip to move. Gives a heartbeat if that takes long. */
  async #wait(version: number): Promise<Message | undefined> {
    this.#stream.waitFor("new-records");
    const outcome = await this.#topic.tip.changed(version, {
      signal: this.#signal,
      timeoutMs: heartbeatAfterMs(this.#parts),
      timers: this.#parts.clock,
    });
    this.#stream.waitFor("nothing");
    return outcome === "timed-out" ? this.#source.heartbeat?.("new-records") : undefined;
  }
}
