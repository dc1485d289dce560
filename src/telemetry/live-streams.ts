/** What a stream waits for, as InspectService tells it. */
export type Waiting = "nothing" | "client-window" | "database" | "new-records" | "client-message" | "publish-budget";

/**
 * One live call. Its adapter writes the transport's side, the engine the reader's or publisher's; both through plain
 * fields, since a hot loop writes them and a person reads them.
 */
export interface LiveStream {
  readonly id: number;
  readonly peer: string;
  readonly method: string;
  readonly startTimeMs: number;
  topic: string;
  nextOffset: number;
  /** How far it is behind, when it is asked: it goes on growing while a stream stalls. */
  readonly lag: number;
  bytesSent: number;
  messagesSent: number;
  readonly waiting: Waiting;
  readonly waitingSinceMs: number;
  /** Says how to tell the lag from now on. */
  measureLag(measure: () => number): void;
  /** Says what the stream waits for from now on. */
  waitFor(what: Waiting): void;
}

/** The node's live calls, in the order of their start. */
export interface LiveStreams {
  open(peer: string, method: string): LiveStream;
  close(stream: LiveStream): void;
  /** Oldest first, with ids above `afterId`. */
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
  waiting: Waiting = "nothing";
  waitingSinceMs: number;
  #measureLag: (() => number) | undefined;

  constructor(id: number, peer: string, method: string, nowMs: number) {
    this.id = id;
    this.peer = peer;
    this.method = method;
    this.startTimeMs = nowMs;
    this.waitingSinceMs = nowMs;
  }

  get lag(): number {
    return this.#measureLag?.() ?? 0;
  }

  measureLag(measure: () => number): void {
    this.#measureLag = measure;
  }

  waitFor(what: Waiting): void {
    if (what === this.waiting) return;
    this.waiting = what;
    this.waitingSinceMs = Date.now();
  }
}

export function createLiveStreams(): LiveStreams {
  // A Map keeps insertion order, which is the order of ids.
  const entries = new Map<number, LiveStream>();
  let lastId = 0;
  return {
    open(peer, method) {
      const entry = new Entry(++lastId, peer, method, Date.now());
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
