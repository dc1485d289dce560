/** The work beside the faults: publishers, followers, watchers and consumers of all kinds, and their promises. */

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { createClient, type MillraceClient, type Reconnecting } from "../../../src/index.js";
import { AcknowledgedLog, batchOf, Transcript } from "../../support/acknowledged-log.js";
import { type Random, wholeNumberBetween } from "../../support/soak.js";
import { ConsumedOnce } from "./consumed-once.js";

export const topics = { log: "mixed/log", state: "mixed/state", work: "mixed/work" } as const;
const sharings = ["shared", "keyed", "exclusive"] as const;

/** The pause of each publisher between an acknowledgement and its next batch, in milliseconds. */
const pauseMs = 20;
const stateKeys = 40;
const workKeys = 17;
/** As many as are processed: none waits in one client while another could take it. */
const concurrency = 4;

/** What a client reports about a failure. */
type Told = Pick<Reconnecting, "reason">;

export class Work {
  readonly #clients: readonly [MillraceClient, MillraceClient];
  readonly #random: Random;
  readonly #over = new AbortController();
  /** Ends the publishers; the others receive what is published. */
  readonly #published = new AbortController();
  readonly #log = new AcknowledgedLog();
  readonly #transcripts = [new Transcript(), new Transcript()];
  readonly #states = [new Map<string, string>(), new Map<string, string>()];
  readonly #consumed = sharings.map((sharing) => new ConsumedOnce(sharing, workKeys));
  readonly #publishing: Promise<void>[] = [];
  readonly #reading: Promise<void>[] = [];
  /** The time of each worker's last progress, by its name. */
  readonly #progress = new Map<string, number>();
  readonly #failure = new AbortController();
  /** Calls that ended as a fault of the server. */
  readonly #internal: string[] = [];
  tried = 0;

  constructor(addresses: readonly [string, string], random: Random) {
    this.#clients = addresses.map((address) => createClient({ address })) as [MillraceClient, MillraceClient];
    this.#random = random;
  }

  get published(): number {
    return this.#log.size;
  }

  get consumed(): readonly number[] {
    return this.#consumed.map(({ confirmed }) => confirmed);
  }

  async begin(): Promise<void> {
    const [first, second] = this.#clients;
    await first.topics.create(topics.log);
    await first.topics.create(topics.state, { keyed: true });
    await first.topics.create(topics.work);
    for (const sharing of sharings) {
      await first.subscriptions.create(sharing, {
        topic: topics.work,
        start: "earliest",
        sharing,
        attemptsMax: 1000,
        retryMinMs: 10,
        retryMaxMs: 200,
      });
    }
    for (const [index, client] of this.#clients.entries()) {
      const name = "ab"[index] ?? "";
      this.#publish(`publisher ${name}`, (publisher) => this.#publishLog(client, `${name}${index}`, publisher));
      this.#read(`follower ${name}`, (got) => this.#follow(client, this.#transcripts[index] as Transcript, got));
      this.#read(`watcher ${name}`, (got) => this.#watch(client, this.#states[index] as Map<string, string>, got));
      for (const [at, sharing] of sharings.entries()) {
        // Two of them would take an EXCLUSIVE subscription from each other.
        if (sharing === "exclusive" && index === 1) continue;
        // Together: at a slow pace, the node that sees records first gets them all.
        this.#read(`${sharing} consumers`, (got) => this.#consume(client, this.#consumed[at] as ConsumedOnce, got));
      }
    }
    this.#publish("publisher of the state", (acknowledged) => this.#publishState(first, acknowledged));
    this.#publish("publisher of work", (acknowledged) => this.#publishWork(second, acknowledged));
    await this.goesOn(performance.now(), 30_000);
  }

  /** Waits until all have progressed since then. Returns how long the last took, and which it was. */
  async goesOn(sinceMs: number, waitMsMax: number): Promise<{ readonly ms: number; readonly last: string }> {
    let last = "";
    for (;;) {
      this.#failure.signal.throwIfAborted();
      const ms = performance.now() - sinceMs;
      const late = [...this.#progress].filter(([, atMs]) => atMs <= sinceMs).map(([name]) => name);
      if (late.length === 0) return { ms, last };
      if (ms > waitMsMax) throw new Error(`Did not get on for ${Math.round(ms)} ms: ${late.join(", ")}`);
      last = late.join(", ");
      await delay(10);
    }
  }

  /** Ends publishing; everything that was published must be everywhere, once and in order. */
  async end(): Promise<void> {
    this.#published.abort();
    await Promise.all(this.#publishing);
    this.#failure.signal.throwIfAborted();
    const [first] = this.#clients;
    const { nextOffset } = await first.topics.get(topics.log);
    expect(this.#log.size).toBe(nextOffset);
    const state = await this.#stateFromLog(first);
    const { nextOffset: work } = await first.topics.get(topics.work);
    const isDone = async () =>
      this.#transcripts.every((transcript) => transcript.nextOffset >= nextOffset) && (await this.#lag()) === 0;
    const until = performance.now() + 60_000;
    while (!(await isDone()) && performance.now() < until) {
      this.#failure.signal.throwIfAborted();
      await delay(50);
    }
    expect(await this.#lag()).toBe(0);
    for (const transcript of this.#transcripts) {
      expect(transcript.nextOffset).toBe(nextOffset);
      this.#log.check(transcript);
    }
    for (const consumed of this.#consumed) consumed.check(work);
    for (const watched of this.#states)
      await expect.poll(() => sorted(watched), { timeout: 10_000 }).toEqual(sorted(state));
    expect(this.#internal.slice(0, 3)).toEqual([]);
  }

  async close(): Promise<void> {
    this.#published.abort();
    this.#over.abort(new Error("The run is over"));
    await Promise.all([...this.#publishing, ...this.#reading]);
    for (const client of this.#clients) client.close();
  }

  /** How many records are not settled, over all subscriptions. */
  async #lag(): Promise<number> {
    let lag = 0;
    for (const sharing of sharings) {
      for await (const { lagRecords } of this.#clients[0].subscriptions.describe(sharing, { limit: 1 }))
        lag += lagRecords;
    }
    return lag;
  }

  /** Publishes until it is stopped and everything is acknowledged. */
  #publish(name: string, work: (acknowledged: () => void) => Promise<void>): void {
    this.#publishing.push(this.#run(name, work));
  }

  #read(name: string, work: (got: () => void) => Promise<void>): void {
    this.#reading.push(this.#run(name, work));
  }

  async #run(name: string, work: (progressed: () => void) => Promise<void>): Promise<void> {
    this.#progress.set(name, 0);
    try {
      await work(() => this.#progress.set(name, performance.now()));
      this.#progress.delete(name);
    } catch (error) {
      if (this.#over.signal.aborted) return;
      this.#failure.abort(new Error(`${name} failed: ${(error as Error).message}`, { cause: error }));
    }
  }

  async #publishLog(client: MillraceClient, name: string, acknowledged: () => void): Promise<void> {
    const publisher = client.publisher(topics.log, { onEvent: this.#onEvent });
    for (let batch = 0; !this.#published.signal.aborted; batch += 1) {
      const records = batchOf(name, batch, wholeNumberBetween(this.#random, 1, 5));
      const answers = await Promise.all(records.map((record) => publisher.publish(record)));
      answers.forEach(({ offset }, index) => this.#log.add(offset, records[index]?.text ?? ""));
      acknowledged();
      await delay(pauseMs);
    }
    await publisher.close();
  }

  async #publishState(client: MillraceClient, acknowledged: () => void): Promise<void> {
    const publisher = client.publisher(topics.state, { onEvent: this.#onEvent });
    for (let number = 0; !this.#published.signal.aborted; number += 1) {
      const key = `key-${wholeNumberBetween(this.#random, 1, stateKeys)}`;
      await publisher.publish(this.#random() < 0.1 ? { key } : { key, text: `${number}` });
      acknowledged();
      await delay(pauseMs);
    }
    await publisher.close();
  }

  async #publishWork(client: MillraceClient, acknowledged: () => void): Promise<void> {
    const publisher = client.publisher(topics.work, { onEvent: this.#onEvent });
    for (let number = 0; !this.#published.signal.aborted; ) {
      const records = Array.from({ length: 3 }, () => ({ key: `key-${number % workKeys}`, text: `${number++}` }));
      await Promise.all(records.map((record) => publisher.publish(record)));
      acknowledged();
      await delay(pauseMs);
    }
    await publisher.close();
  }

  async #follow(client: MillraceClient, transcript: Transcript, got: () => void): Promise<void> {
    const options = { start: "earliest", signal: this.#over.signal, onEvent: this.#onEvent } as const;
    for await (const record of client.follow(topics.log, options)) {
      transcript.take(record);
      got();
    }
  }

  /** Checks that each key only becomes newer, and nothing is repeated. */
  async #watch(client: MillraceClient, state: Map<string, string>, got: () => void): Promise<void> {
    const newest = new Map<string, number>();
    const onEvent = (event: { readonly type: string }) => {
      if (event.type === "reset") {
        state.clear();
        newest.clear();
      }
      this.#onEvent(event);
    };
    for await (const { key, text, offset } of client.state.watch(topics.state, {
      signal: this.#over.signal,
      onEvent,
    })) {
      const before = newest.get(key) ?? -1;
      if (offset <= before) throw new Error(`${key} came at offset ${offset} after ${before}`);
      newest.set(key, offset);
      if (text === undefined) state.delete(key);
      else state.set(key, text);
      got();
    }
  }

  async #consume(client: MillraceClient, consumed: ConsumedOnce, got: () => void): Promise<void> {
    const { signal } = this.#over;
    await client
      .consume(consumed.sharing, { window: { records: concurrency }, signal, onEvent: this.#onEvent })
      .forEach(
        async (delivery) => {
          // A handler's failure is a rejection, so a broken promise is recorded apart.
          const broken = consumed.hand(delivery.record);
          if (broken !== undefined) this.#failure.abort(new Error(broken));
          got();
          await delay(this.#random() * 5);
          if (this.#random() < 0.03) throw new Error("not liked");
          consumed.acknowledge(delivery.offset);
          void delivery.acknowledge().then((outcome) => consumed.confirm(delivery.offset, outcome));
        },
        { concurrency },
      );
  }

  readonly #onEvent = (event: { readonly type: string }): void => {
    if (event.type !== "reconnecting") return;
    const { reason } = event as unknown as Told;
    this.tried += 1;
    // grpc-js's text for a stream that its peer reset.
    if (reason.code === "INTERNAL" && !reason.message.startsWith("Received RST_STREAM")) {
      this.#internal.push(`${reason.code}: ${reason.message}`);
    }
  };

  async #stateFromLog(client: MillraceClient): Promise<Map<string, string>> {
    const state = new Map<string, string>();
    for await (const { key, text } of client.read(topics.state)) {
      if (text === undefined) state.delete(key);
      else state.set(key, text);
    }
    return state;
  }
}

const sorted = (state: ReadonlyMap<string, string>) => [...state].toSorted(([one], [other]) => (one < other ? -1 : 1));
