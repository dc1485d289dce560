/** Topics of keyed records, as tests of states write and read them. */

import { defaultLimits, noRetention } from "../../src/core/index.js";
import type { Engine, PageMessage, WatchMessage, WatchStateCommand } from "../../src/engine/index.js";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import { createLiveStreams } from "../../src/telemetry/index.js";
import { type Location, splitRequest } from "../../src/wire/index.js";
import { recordsIn } from "../support/open-engine.js";

/** Sets a key to a text, or removes it. */
export interface KeyedRecord {
  readonly key: string;
  /** Undefined: a tombstone. */
  readonly text: string | undefined;
  readonly place?: Location | undefined;
  /** In seconds. */
  readonly lifetime?: number;
}

export type State = Map<string, string>;

const streams = createLiveStreams();
const noSignal = new AbortController().signal;

export async function createKeyed(engine: Engine, name: string): Promise<void> {
  const limits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };
  await engine.topics.create({ name, labels: new Map(), limits, retention: noRetention, keyed: true });
}

export async function appendKeyed(engine: Engine, topic: string, records: readonly KeyedRecord[]): Promise<number> {
  const encoded = AppendRequest.encode({
    topic,
    records: records.map(({ key, text, place, lifetime }) => ({
      key,
      attributes: new Map<string, string>(),
      body: text === undefined ? undefined : { $case: "text" as const, value: text },
      location: place,
      lifetime: lifetime === undefined ? undefined : { seconds: lifetime, nanos: 0 },
      eventTime: undefined,
      time: undefined,
      offset: undefined,
    })),
    expectedOffset: undefined,
    producer: undefined,
    epoch: 0,
  }).finish();
  const { batch } = splitRequest(encoded, defaultLimits);
  const command = { topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 };
  return (await engine.append(command)).nextOffset;
}

/** The state of a reader of all these records. */
export function applyRecords(state: State, records: Iterable<KeyedRecord>): State {
  for (const { key, text } of records) {
    if (key === "") continue;
    if (text === undefined) state.delete(key);
    else state.set(key, text);
  }
  return state;
}

function keyedRecordsOf(page: PageMessage): KeyedRecord[] {
  return recordsIn(page.runs).map(({ key, body }) => ({
    key,
    text: body?.$case === "text" ? body.value : undefined,
  }));
}

/** The latest record of each key, from the log alone. */
export async function stateFromLog(engine: Engine, topic: string): Promise<State> {
  const command = {
    topic,
    start: undefined,
    direction: "forward",
    until: { at: "end" },
    limit: 0,
    whenTrimmed: "skip",
    filter: undefined,
  } as const;
  const state: State = new Map();
  for await (const message of engine.read(command, streams.open("test", "read"), noSignal)) {
    if (message.kind === "page") applyRecords(state, keyedRecordsOf(message));
  }
  return state;
}

export async function listedState(engine: Engine, topic: string): Promise<State> {
  const command = { topic, keyPrefix: "", rectangle: undefined, filter: undefined, afterKey: "", limit: 0 };
  const state: State = new Map();
  for await (const page of engine.listState(command, streams.open("test", "list"), noSignal)) {
    applyRecords(state, keyedRecordsOf(page));
  }
  return state;
}

/** A watcher that stores what it receives, and is driven by hand. */
export class TestWatcher {
  readonly state: State = new Map();
  readonly kinds: WatchMessage["kind"][] = [];
  #next: WatchMessage["next"] | undefined;
  #messages: AsyncGenerator<WatchMessage, void, undefined>;
  #abort = new AbortController();
  readonly #engine: Engine;
  readonly #topic: string;

  constructor(engine: Engine, topic: string, more: Partial<WatchStateCommand> = {}) {
    this.#engine = engine;
    this.#topic = topic;
    this.#messages = this.#open(more);
  }

  /** Whether it received all below this offset: another pull would wait. */
  isAt(offset: number): boolean {
    return this.#next?.offset === offset && this.kinds.includes("snapshot-end");
  }

  /** Takes the next message. False: the watch has ended. */
  async pull(): Promise<boolean> {
    const { done, value } = await this.#messages.next();
    if (done) return false;
    this.#next = value.next;
    this.kinds.push(value.kind);
    if (value.kind === "reset") this.state.clear();
    if (value.kind === "page") {
      for (const key of value.left) this.state.delete(key);
      applyRecords(this.state, keyedRecordsOf(value));
    }
    return true;
  }

  /** Takes messages up to and including the first of this kind. */
  async until(kind: WatchMessage["kind"]): Promise<void> {
    while ((await this.pull()) && this.kinds.at(-1) !== kind);
  }

  /** Leaves, and resumes from its position. */
  async resume(): Promise<void> {
    await this.leave();
    this.#abort = new AbortController();
    this.#messages = this.#open({ start: this.#next });
  }

  async leave(): Promise<void> {
    this.#abort.abort(new Error("left"));
    await this.#messages.return();
  }

  #open(more: Partial<WatchStateCommand>): AsyncGenerator<WatchMessage, void, undefined> {
    const command: WatchStateCommand = {
      topic: this.#topic,
      keyPrefix: "",
      rectangle: undefined,
      filter: undefined,
      start: undefined,
      changesOnly: false,
      withoutTombstones: false,
      ...more,
    };
    return this.#engine.watchState(command, streams.open("test", "watch"), this.#abort.signal);
  }
}
