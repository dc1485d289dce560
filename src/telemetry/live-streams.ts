import type { LiveStreamWaiting } from "../core/index.js";
import { type Clock, systemClock } from "./clock.js";

/**
 * One live call. Its call adapter writes the fields of the transport, the engine those of the reader or publisher. They are
 * plain fields, since hot loops write them and only people read them.
 */
export interface LiveStream {
  readonly id: number;
  readonly peer: string;
  readonly method: string;
  readonly startTimeMs: number;
  topic: string;
  nextOffset: number;
  /** How far it is behind. Measured when it is read, so it keeps growing while a stream stalls. */
  readonly lag: number;
  bytesSent: number;
  messagesSent: number;
  readonly waiting: LiveStreamWaiting;
  /** By the present wall clock. Setting the clock does not change how long the wait looks. */
  readonly waitingSinceMs: number;
  /** Sets how the lag is measured from now on. */
  measureLag(measure: () => number): void;
  /** Sets what the stream waits for from now on. */
  waitFor(what: LiveStreamWaiting): void;
}

/** The node's live calls, in the order in which they began. */
export interface LiveStreams {
  open(peer: string, method: string): LiveStream;
  close(stream: LiveStream): void;
  /** Up to `count` streams with ids above `afterId`, oldest first. */
  list(afterId: number, count: number, topic?: string): readonly LiveStream[];
  readonly size: number;
}

class Entry implements LiveStream {
  readonly id: number;
  readonly peer: string;
  readonly method: string;
  readonly startTimeMs: number;
  topic = "";
  nextOffset = 0;
  bytesSent = 0;
  messagesSent = 0;
  waiting: LiveStreamWaiting = "nothing";
  readonly #clock: Clock;
  #waitingSinceMonotonicMs: number;
  #measureLag: (() => number) | undefined;

  constructor({ id, peer, method }: Pick<LiveStream, "id" | "peer" | "method">, clock: Clock) {
    this.id = id;
    this.peer = peer;
    this.method = method;
    this.startTimeMs = Math.floor(clock.wallMicros() / 1000);
    this.#clock = clock;
    this.#waitingSinceMonotonicMs = clock.monotonicMs();
  }

  get waitingSinceMs(): number {
    const waitedMs = this.#clock.monotonicMs() - this.#waitingSinceMonotonicMs;
    return Math.round(this.#clock.wallMicros() / 1000 - waitedMs);
  }

  get lag(): number {
    return this.#measureLag?.() ?? 0;
  }

  measureLag(measure: () => number): void {
    this.#measureLag = measure;
  }

  waitFor(what: LiveStreamWaiting): void {
    if (what === this.waiting) return;
    this.waiting = what;
    this.#waitingSinceMonotonicMs = this.#clock.monotonicMs();
  }
}

export function createLiveStreams(clock: Clock = systemClock): LiveStreams {
  // A Map keeps insertion order, which is the order of ids.
  const entries = new Map<number, LiveStream>();
  let lastId = 0;
  return {
    open(peer, method) {
      const entry = new Entry({ id: ++lastId, peer, method }, clock);
      entries.set(entry.id, entry);
      return entry;
    },
    close(stream) {
      entries.delete(stream.id);
    },
    list(afterId, count, topic) {
      const found: LiveStream[] = [];
      for (const entry of entries.values()) {
        if (found.length === count) break;
        if (entry.id > afterId && (topic === undefined || entry.topic === topic)) found.push(entry);
      }
      return found;
    },
    get size() {
      return entries.size;
    },
  };
}
