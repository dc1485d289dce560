/** Writes for the store's tests: frames that encode their own length, and appends to a known head. */

import { endOfFrame, noRetention } from "../../src/core/index.js";
import type { AppendWrite, Head, NewTopic, Store, StoredTopic } from "../../src/store/index.js";

export const noLimits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };

export function newTopic(name: string, change: Partial<NewTopic> = {}): NewTopic {
  return {
    name,
    epoch: 7,
    labels: new Map(),
    limits: noLimits,
    retention: noRetention,
    keyed: false,
    ...change,
  };
}

export async function createdTopic(store: Store, name: string, change: Partial<NewTopic> = {}): Promise<StoredTopic> {
  const topic = await store.createTopic(newTopic(name, change));
  if (typeof topic === "string") throw new Error(`Topic ${name}: ${topic}`);
  return topic;
}

/** A frame of this many bytes, at least 4: a tag, a length of three bytes, and a text. */
export function frameOf(text: string, bytes = 4 + Buffer.byteLength(text)): Buffer {
  const frame = Buffer.alloc(bytes, 0x2e);
  const length = bytes - 4;
  frame.set([0x0a, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14]);
  frame.write(text, 4);
  return frame;
}

export function splitFrames(frames: Uint8Array): Buffer[] {
  const bytes = Buffer.from(frames);
  const split: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = endOfFrame(bytes, at);
    split.push(bytes.subarray(at, end));
    at = end;
  }
  return split;
}

export function textOf(frame: Buffer): string {
  return frame.toString("utf8", 4);
}

/** The write that appends these frames to a topic with this head. */
export function writeAfter(
  head: Head,
  frames: readonly Buffer[],
  change: Partial<Pick<AppendWrite, "timeMicros" | "producers" | "state" | "expires">> = {},
): AppendWrite {
  let end = 0;
  return {
    topicId: head.topicId,
    expected: { nextOffset: head.nextOffset, version: head.version, epoch: head.epoch },
    frames: Buffer.concat(frames),
    frameEnds: frames.map((frame) => (end += frame.length)),
    baseBytes: head.nextBytes,
    timeMicros: change.timeMicros ?? 1_000_000,
    producers: change.producers ?? [],
    state: change.state ?? [],
    expires: change.expires ?? false,
  };
}

/** The frame at an offset. */
export async function readFrame(store: Store, topicId: number, offset: number): Promise<Uint8Array | undefined> {
  const [found] = await store.readFrames(topicId, [offset]);
  return found?.frame;
}

/** Appends, and throws if the head was not as expected. */
export async function append(store: Store, topicId: number, frames: readonly Buffer[]): Promise<Head> {
  const before = await headOf(store, topicId);
  const outcome = await store.append(writeAfter(before, frames));
  if (outcome !== "appended") throw new Error(`Topic ${topicId} moved`);
  return headOf(store, topicId);
}

export async function headOf(store: Store, topicId: number): Promise<Head> {
  const view = await store.readView(topicId, []);
  if (view === undefined) throw new Error(`Topic ${topicId} is gone`);
  return view.head;
}

/** Every frame of a topic from its earliest offset on, read page by page. */
export async function readAll(store: Store, topicId: number, pageBytes = 4096): Promise<Buffer[]> {
  const frames: Buffer[] = [];
  const { earliestOffset } = await headOf(store, topicId);
  for (let from = earliestOffset; ; ) {
    const read = await store.readPage({ topicId, direction: "forward", from, records: 1000, bytes: pageBytes });
    if (read?.page === undefined) return frames;
    frames.push(...splitFrames(read.page.frames));
    from = read.page.next;
  }
}
