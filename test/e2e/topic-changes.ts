import { expect, vi } from "vitest";
import {
  createClient,
  type FollowEvent,
  type FollowOptions,
  type MillraceClient,
  type RecordInput,
  type RecordPage,
} from "../../src/index.js";
import { batchOf } from "../support/acknowledged-log.js";
import { createTestDatabase } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { quickBackoff } from "./publish-through.js";

/** Where followers follow, and where topics are changed: on the same node, or on another one. */
export const places = ["embedded", "postgres", "another node"] as const;

export interface Nodes {
  readonly address: string;
  /** Has a record every few KiB, so that a follower that is not iterated stays in history. */
  readonly following: MillraceClient;
  readonly changing: MillraceClient;
  /** Kills the followers' node, and restarts it on the same port and data. */
  killFollowed(): Promise<void>;
  close(): Promise<void>;
}

export async function startNodes(place: (typeof places)[number]): Promise<Nodes> {
  const database = await createTestDatabase(place === "embedded" ? "embedded" : "postgres");
  const start = (address: string) =>
    startServerProcess(["--listen", address, "--log-level", "error", ...databaseArguments(database.connection)]);
  const other = place === "another node" ? await start("127.0.0.1:0") : undefined;
  let followed = await start("127.0.0.1:0");
  const { address } = followed;
  const following = createClient({ address, windowBytes: 65_536 });
  const changing = createClient({ address: other?.address ?? address });
  return {
    address,
    following,
    changing,
    async killFollowed() {
      await followed.stop("SIGKILL");
      followed = await start(address);
    },
    async close() {
      following.close();
      changing.close();
      await Promise.all([followed.stop(), other?.stop()]);
      await database.drop();
    },
  };
}

/** Records of history: about 1 MiB, so that a held follower's windows are full long before the end. */
export const history = 4000;

/** Creates a topic with this incarnation's history. */
export async function fill(client: MillraceClient, topic: string, incarnation: string): Promise<void> {
  const publisher = client.publisher(topic, { backoff: quickBackoff });
  await publisher.publishAll(recordsOf(incarnation));
  await publisher.close();
}

function recordsOf(incarnation: string): RecordInput[] {
  return batchOf(incarnation, 0, history, 250);
}

/** How a follow ended: with an error, by itself, or not yet. */
export type FollowEnd = "open" | "ended" | { readonly code: string; readonly reason: string };

/** A follower that records all it receives: it must be informed of everything that it did not see. */
export class Followed {
  readonly events: FollowEvent[] = [];
  /** The incarnations whose records it saw. */
  readonly incarnations = new Set<string>();
  /** The next offset, unless it is informed of a gap. */
  nextOffset = 0;
  seen = 0;
  end: FollowEnd = "open";
  metadata: Readonly<Record<string, string>> = {};
  /** The epoch of the topic that it follows; 0 while it is unknown. */
  epoch = 0;
  onPage: (page: RecordPage) => void = () => undefined;
  readonly #stream: AsyncIterableIterator<RecordPage, undefined>;
  #isLive = false;

  constructor(client: MillraceClient, topic: string, options: FollowOptions = {}) {
    this.#stream = client
      .follow(topic, {
        start: "earliest",
        backoff: quickBackoff,
        ...options,
        onEvent: (event) => this.#hear(event),
      })
      .pages();
  }

  /** Takes one page. False when the stream has ended, also by the signal. */
  async step(signal?: AbortSignal): Promise<boolean> {
    try {
      const { done, value } = await this.#stream.next();
      if (done === true) this.end = "ended";
      else this.#take(value);
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) return false;
      if (!(error instanceof Error && "code" in error && "reason" in error)) throw error;
      const { code, reason } = error as Error & { readonly code: string; readonly reason: string };
      this.end = { code, reason };
      const { metadata } = error as Error & { readonly metadata?: ReadonlyMap<string, string> };
      this.metadata = Object.fromEntries(metadata ?? []);
    }
    return this.end === "open";
  }

  /** Takes everything until the stream ends. */
  async toEnd(): Promise<void> {
    while (await this.step()) {
      // Each step checks what it received.
    }
  }

  /** Reads until it is live, and stays live: it reads what arrives at once. */
  async goLive(): Promise<{ readonly over: Promise<void> }> {
    const over = this.toEnd();
    over.catch(() => undefined);
    await Promise.race([this.#until(() => this.#isLive || this.end !== "open"), over]);
    expect(this.#isLive).toBe(true);
    return { over };
  }

  /** Waits until it has seen everything below an offset. */
  async reaches(nextOffset: number): Promise<void> {
    await this.#until(() => this.nextOffset >= nextOffset || this.end !== "open");
    expect(this.nextOffset).toBe(nextOffset);
  }

  async close(): Promise<void> {
    await this.#stream.return?.();
  }

  #take(page: RecordPage): void {
    const { records, next } = page;
    this.onPage(page);
    for (const { offset, text = "" } of records) {
      if (offset !== this.nextOffset) throw new Error(`Offset ${offset} came instead of ${this.nextOffset}, silently`);
      this.nextOffset = offset + 1;
      this.seen += 1;
      this.incarnations.add(text.slice(0, text.indexOf(" ")));
    }
    expect(next.offset).toBe(this.nextOffset);
    expect(next.epoch).toBe(this.epoch);
  }

  #hear(event: FollowEvent): void {
    this.events.push(event);
    if (event.type === "caught-up") this.#isLive = true;
    if (event.type === "started") {
      // The earliest offset, at the first time; its own position, after each reconnection.
      if (this.epoch === 0) [this.epoch, this.nextOffset] = [event.position.epoch, event.position.offset];
      expect(event.position).toEqual({ epoch: this.epoch, offset: this.nextOffset });
    }
    if (event.type === "skipped") {
      expect(event.firstOffset).toBe(this.nextOffset);
      this.nextOffset = event.nextOffset;
    }
  }

  async #until(condition: () => boolean): Promise<void> {
    await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 5 });
  }
}

/** A follower that has read a little of the history and is not iterated. */
export async function holdInHistory(client: MillraceClient, topic: string, options?: FollowOptions): Promise<Followed> {
  const followed = new Followed(client, topic, options);
  expect(await followed.step()).toBe(true);
  expect(followed.nextOffset).toBeLessThan(history / 2);
  return followed;
}
