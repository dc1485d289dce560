/**
 * A stored record as the server reads it. One walk over its frame notes where the fields are; the getters read from there.
 * Frames are the server's own (`scan-record.ts` checked the record, `stamp.ts` wrote its end), so nothing is checked again.
 * For the bytes that a client receives, see `decode-record.ts`.
 */

import { type BufferCursor, decodeStruct, type JsonObject } from "./decode-struct.js";
import { type Location, readAttribute, readLocation, readTime } from "./decode-parts.js";
import { decodeText } from "./decode-text.js";
import { keyQueueOf } from "./key-queue.js";
import { AttributeTag, endOfField, RecordTag, startOfContents } from "./record-fields.js";
import { readStamp, stampBytes, timeOfStamp } from "./stamp.js";
import { dateOfTimestamp } from "./timestamp.js";

/**
 * Notes one frame at a time. Its owner reuses one for many frames, so a walk makes no garbage. It keeps the last buffer in
 * memory: readers that wait between pages share one instead of owning one each (invariant 4).
 */
export class StoredRecord {
  #bytes: Buffer = Buffer.alloc(0);
  /** The record without its stamp. */
  #start = 0;
  #end = 0;
  // Where the tags of its fields are; 0: no such field. A frame's own tag comes first, so no field is at 0.
  #keyAt = 0;
  #firstAttributeAt = 0;
  #bodyAt = 0;
  #locationAt = 0;
  #eventTimeAt = 0;
  #lifetimeAt = 0;

  /** Notes the frame from `start` to `end`, and forgets the previous one. Returns itself. */
  walk(bytes: Buffer, start: number, end: number): this {
    this.#bytes = bytes;
    this.#start = startOfContents(bytes, start);
    this.#end = end - stampBytes;
    this.#keyAt = this.#firstAttributeAt = this.#bodyAt = 0;
    this.#locationAt = this.#eventTimeAt = this.#lifetimeAt = 0;
    const stampAt = this.#end;
    // A switch is faster than an array that is indexed by field number.
    for (let at = this.#start; at < stampAt; at = endOfField(bytes, at)) {
      switch (bytes[at] as number) {
        case RecordTag.key:
          this.#keyAt = at;
          break;
        case RecordTag.attributes:
          if (this.#firstAttributeAt === 0) this.#firstAttributeAt = at;
          break;
        case RecordTag.data:
        case RecordTag.text:
        case RecordTag.json:
        case RecordTag.message:
          // The last field of a oneof counts.
          this.#bodyAt = at;
          break;
        case RecordTag.location:
          this.#locationAt = at;
          break;
        case RecordTag.eventTime:
          this.#eventTimeAt = at;
          break;
        case RecordTag.lifetime:
          this.#lifetimeAt = at;
      }
    }
    return this;
  }

  /** Its bytes, with its stamp, without the frame's tag and length. */
  get size(): number {
    return this.#end + stampBytes - this.#start;
  }

  get offset(): number {
    return readStamp(this.#bytes, this.#end + stampBytes).offset;
  }

  /** When the server took it, in microseconds since 1970. */
  get timeMicros(): number {
    return timeOfStamp(this.#bytes, this.#end + stampBytes);
  }

  /** What it is about; empty when it has no key. */
  get key(): string {
    return this.#keyAt === 0 ? "" : this.#textAt(this.#keyAt);
  }

  /** The queue of its key; undefined when it has none. */
  get keyQueue(): number | undefined {
    const at = this.#keyAt;
    if (at === 0) return undefined;
    const start = startOfContents(this.#bytes, at);
    const end = endOfField(this.#bytes, at);
    return start === end ? undefined : keyQueueOf(this.#bytes, start, end);
  }

  /** It has no body, so it removes its key from a state. */
  get isTombstone(): boolean {
    return this.#bodyAt === 0;
  }

  /** The body if it is text. */
  get text(): string | undefined {
    const at = this.#bodyAt;
    return at !== 0 && this.#bytes[at] === RecordTag.text ? this.#textAt(at) : undefined;
  }

  /** The body if it is JSON. */
  get json(): JsonObject | undefined {
    const at = this.#bodyAt;
    if (at === 0 || this.#bytes[at] !== RecordTag.json) return undefined;
    return decodeStruct(this.#bytes, startOfContents(this.#bytes, at), endOfField(this.#bytes, at));
  }

  /** Where it happened. */
  get location(): Location | undefined {
    return this.#read(this.#locationAt, readLocation);
  }

  /** When it happened, by the producer's clock, cut to milliseconds. */
  get eventTime(): Date | undefined {
    const time = this.#read(this.#eventTimeAt, readTime);
    return time && dateOfTimestamp(time);
  }

  /** When its lifetime ends, in microseconds since 1970, rounded up; undefined: never. */
  get expiryMicros(): number | undefined {
    const lifetime = this.#read(this.#lifetimeAt, readTime);
    return lifetime && this.timeMicros + lifetime.seconds * 1_000_000 + Math.ceil(lifetime.nanos / 1000);
  }

  get attributes(): Map<string, string> {
    const bytes = this.#bytes;
    const attributes = new Map<string, string>();
    for (let at = this.#firstAttributeAt || this.#end; at < this.#end; at = endOfField(bytes, at)) {
      if (bytes[at] !== RecordTag.attributes) continue;
      readAttribute({ bytes, at: startOfContents(bytes, at) }, endOfField(bytes, at), attributes);
    }
    return attributes;
  }

  /**
   * Whether it has an attribute of this name and, if one is given, of this value, both in UTF-8. It compares bytes, since
   * filters examine many records and match few.
   */
  hasAttribute(name: Uint8Array, value: Uint8Array | undefined): boolean {
    const bytes = this.#bytes;
    let isFound = false;
    let next = 0;
    for (let at = this.#firstAttributeAt || this.#end; at < this.#end; at = next) {
      next = endOfField(bytes, at);
      if (bytes[at] !== RecordTag.attributes) continue;
      let isNamed = false;
      let isEqual = value === undefined || value.length === 0;
      for (let part = startOfContents(bytes, at); part < next; part = endOfField(bytes, part)) {
        if (bytes[part] === AttributeTag.key) isNamed = hasContents(bytes, part, name);
        else if (value !== undefined) isEqual = hasContents(bytes, part, value);
      }
      // If a name occurs twice, the last one counts, as in every map of Protobuf.
      if (isNamed) isFound = isEqual;
    }
    return isFound;
  }

  #textAt(at: number): string {
    return decodeText(this.#bytes, startOfContents(this.#bytes, at), endOfField(this.#bytes, at));
  }

  #read<Part>(at: number, read: (cursor: BufferCursor, end: number, before: undefined) => Part): Part | undefined {
    const bytes = this.#bytes;
    return at === 0 ? undefined : read({ bytes, at: startOfContents(bytes, at) }, endOfField(bytes, at), undefined);
  }
}

/** Whether the field whose tag is at `at` has exactly these contents. */
function hasContents(bytes: Buffer, at: number, contents: Uint8Array): boolean {
  const start = startOfContents(bytes, at);
  if (endOfField(bytes, at) - start !== contents.length) return false;
  for (let index = 0; index < contents.length; index++) if (bytes[start + index] !== contents[index]) return false;
  return true;
}
