/**
 * A page is already the wire message: its frames are field 1 of every response that carries records. Only field 2 is added,
 * the position after the page. One encoding therefore serves every reader of the page (ReadResponse and FollowResponse have
 * the same two fields; `test/wire/record-fields.test.ts` checks it).
 * Only the first message of a read has one more field, which is not shared: the read's end.
 */

import { endOfFrame, type Position } from "../core/index.js";
import { joinRuns } from "./join-runs.js";
import { prefixBytes, writePrefix } from "./length-prefix.js";
import { nextTag, PositionTag } from "./record-fields.js";
import { varintLength, writeVarint } from "./varint.js";

/** `optional uint64 end_offset = 4` of a ReadResponse. */
const endOffsetTag = 0x20;

/** `string last_key = 3` of a ListResponse, `repeated string left = 6` of a WatchResponse. */
const lastKeyTag = 0x1a;
const leftTag = 0x32;

/**
 * Encodes a response of these frames, the position after them, and fields that are encoded already. Like all messages here,
 * it begins with gRPC's prefix.
 */
export function encodePageMessage(
  runs: readonly Uint8Array[],
  next: Position,
  fields: readonly Uint8Array[] = [],
): Buffer {
  const behind = behindLength(next, fields);
  const message = joinRuns(runs, { before: prefixBytes, behind });
  writeFields(message, writePosition(message, message.length - behind, next), fields);
  return writePrefix(message);
}

/** Encodes a page of a listing. `lastKey`: the listing has examined all keys up to it. */
export function encodeListMessage(runs: readonly Uint8Array[], next: Position, lastKey: string | undefined): Buffer {
  return encodePageMessage(runs, next, lastKey === undefined ? [] : [textField(lastKeyTag, lastKey)]);
}

/** Encodes a page of a watch. `left`: keys whose latest record does not match (any more). */
export function encodeWatchMessage(runs: readonly Uint8Array[], next: Position, left: readonly string[]): Buffer {
  return encodePageMessage(
    runs,
    next,
    left.map((key) => textField(leftTag, key)),
  );
}

function textField(tag: number, text: string): Buffer {
  const length = Buffer.byteLength(text);
  const field = Buffer.allocUnsafe(1 + varintLength(length) + length);
  field[0] = tag;
  field.write(text, writeVarint(field, 1, length), "utf8");
  return field;
}

function numberField(tag: number, value: number): Buffer {
  const field = Buffer.allocUnsafe(1 + varintLength(value));
  field[0] = tag;
  writeVarint(field, 1, value);
  return field;
}

function writeFields(message: Buffer, start: number, fields: readonly Uint8Array[]): void {
  let at = start;
  for (const field of fields) {
    message.set(field, at);
    at += field.length;
  }
}

/** What `pageAsMessage` needs of a page. `hasRoom` is that of a single run, as in `Page`. */
interface EncodablePage {
  readonly runs: readonly Uint8Array[];
  readonly hasRoom?: boolean;
  readonly next: Position;
}

/**
 * Turns a page into the message itself: the prefix, the position and the end go into the room around its frames, if there
 * is room. Another call for the same page must pass the same position and end. `endOffset`: where a read ends, in its first
 * message.
 */
export function pageAsMessage({ runs, hasRoom = false, next }: EncodablePage, endOffset?: number): Buffer {
  const [frames] = runs;
  const fields = endOffset === undefined ? [] : [numberField(endOffsetTag, endOffset)];
  if (frames === undefined || runs.length > 1 || !hasRoom) return encodePageMessage(runs, next, fields);
  const length = prefixBytes + frames.length + behindLength(next, fields);
  const message = Buffer.from(frames.buffer, frames.byteOffset - prefixBytes, length);
  writeFields(message, writePosition(message, prefixBytes + frames.length, next), fields);
  return writePrefix(message);
}

/** The bytes of a position and the fields after it. */
function behindLength(next: Position, fields: readonly Uint8Array[]): number {
  return fields.reduce((bytes, field) => bytes + field.length, positionLength(next));
}

function positionLength(next: Position): number {
  return 4 + varintLength(next.epoch) + varintLength(next.offset);
}

/** Returns where the position ends. */
function writePosition(message: Buffer, start: number, next: Position): number {
  message[start] = nextTag;
  message[start + 1] = positionLength(next) - 2;
  message[start + 2] = PositionTag.epoch;
  const at = writeVarint(message, start + 3, next.epoch);
  message[at] = PositionTag.offset;
  return writeVarint(message, at + 1, next.offset);
}

/** Where each frame of a page ends. */
export function frameEnds(frames: Uint8Array, count: number): Uint32Array {
  const ends = new Uint32Array(count);
  let at = 0;
  for (let index = 0; index < count; index++) ends[index] = at = endOfFrame(frames, at);
  return ends;
}
