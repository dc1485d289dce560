/**
 * Records as a client receives them. One walk over a frame notes where the fields are, and reads the stamp. Text,
 * attributes and JSON are decoded on access: a replay decodes only what its reader looks at.
 */

import { type Location, readAttribute, readLocation, readPair, readTime } from "./decode-parts.js";
import { decodeText } from "./decode-text.js";
import {
  type BufferCursor,
  decodeStruct,
  enter,
  jsonOfMap,
  type JsonObject,
  type JsonValue,
  skipField,
} from "./decode-struct.js";
import { type Duration, durationText, msOfDuration } from "./duration.js";
import { RecordTag } from "./record-fields.js";
import { isStamp, stampBytes, timeOfStamp } from "./stamp.js";
import { dateOfTimestamp, type Timestamp, timestampOfMicros, timestampText } from "./timestamp.js";
import { readFixed64 } from "./varint.js";

/** What a record carries. */
export type RecordBody =
  | { readonly kind: "data"; readonly value: Uint8Array }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "json"; readonly value: JsonObject }
  | { readonly kind: "message"; readonly value: AnyMessage };

/** A Protobuf message with its type, `google.protobuf.Any`. */
export interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** A constant of this module, because V8 folds its values into the compiled code, but not those of an import. */
const Tag = RecordTag;

/**
 * A record that was read. It can be published again as it is.
 *
 * It is a view of its message, and keeps the whole message in memory (up to 256 KiB): copy what you keep for long. `data`
 * and `message.value` are views too.
 */
export class ReceivedRecord {
  /** Its position in the topic. */
  readonly offset: number;
  /** When the server took it, in microseconds since 1970. */
  readonly timeMicros: number;
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #keyAt: number;
  readonly #keyEnd: number;
  readonly #bodyTag: number;
  readonly #bodyAt: number;
  readonly #bodyEnd: number;
  readonly #hasAttributes: boolean;
  #key: string | undefined;
  #attributes: ReadonlyMap<string, string> | undefined;
  #body: RecordBody | undefined;

  /** Walks the record from the cursor to `end`, and leaves the cursor there. Throws a RangeError when it is broken. */
  constructor(cursor: BufferCursor, end: number) {
    const { bytes } = cursor;
    let offset = 0;
    let timeMicros = 0;
    let keyAt = 0;
    let keyEnd = 0;
    let bodyTag = 0;
    let bodyAt = 0;
    let bodyEnd = 0;
    let hasAttributes = false;
    this.#bytes = bytes;
    this.#start = cursor.at;
    this.#end = end;
    while (cursor.at < end) {
      const tag = bytes[cursor.at] as number;
      switch (tag) {
        case Tag.key:
          cursor.at += 1;
          keyEnd = enter(cursor, end);
          keyAt = cursor.at;
          cursor.at = keyEnd;
          break;
        case Tag.data:
        case Tag.text:
        case Tag.json:
        case Tag.message:
          cursor.at += 1;
          bodyTag = tag;
          bodyEnd = enter(cursor, end);
          bodyAt = cursor.at;
          cursor.at = bodyEnd;
          break;
        case Tag.attributes:
          cursor.at += 1;
          hasAttributes = true;
          cursor.at = enter(cursor, end);
          break;
        case Tag.time:
          if (isStamp(bytes, cursor.at, end)) {
            timeMicros = timeOfStamp(bytes, end);
            cursor.at += stampBytes - 9;
          } else {
            cursor.at += 1;
            const { seconds, nanos } = readTime(cursor, enter(cursor, end), undefined);
            timeMicros = seconds * 1_000_000 + Math.floor(nanos / 1000);
          }
          break;
        case Tag.offset:
          if (cursor.at + 9 > end) throw new RangeError("Cannot decode a record: its offset is cut off");
          offset = readFixed64(bytes, cursor.at + 1);
          cursor.at += 9;
          break;
        case Tag.location:
        case Tag.eventTime:
        case Tag.lifetime:
          cursor.at += 1;
          cursor.at = enter(cursor, end);
          break;
        default:
          skipField(cursor, end);
      }
    }
    this.offset = offset;
    this.timeMicros = timeMicros;
    this.#keyAt = keyAt;
    this.#keyEnd = keyEnd;
    this.#bodyTag = bodyTag;
    this.#bodyAt = bodyAt;
    this.#bodyEnd = bodyEnd;
    this.#hasAttributes = hasAttributes;
  }

  /** When the server took it, cut to milliseconds. */
  get time(): Date {
    return new Date(Math.floor(this.timeMicros / 1000));
  }

  /** What it is about; empty when it has no key. */
  get key(): string {
    this.#key ??= decodeText(this.#bytes, this.#keyAt, this.#keyEnd);
    return this.#key;
  }

  get attributes(): ReadonlyMap<string, string> {
    this.#attributes ??= this.#hasAttributes ? this.#readAttributes() : new Map<string, string>();
    return this.#attributes;
  }

  /** What it carries, by kind; undefined when it has no body. */
  get body(): RecordBody | undefined {
    if (this.#bodyTag !== 0) this.#body ??= this.#readBody();
    return this.#body;
  }

  /** The body if it is bytes. */
  get data(): Uint8Array | undefined {
    return this.#bodyTag === Tag.data ? this.#bytes.subarray(this.#bodyAt, this.#bodyEnd) : undefined;
  }

  /** The body if it is text. */
  get text(): string | undefined {
    const body = this.body;
    return body?.kind === "text" ? body.value : undefined;
  }

  /** The body if it is JSON. */
  get json(): JsonObject | undefined {
    const body = this.body;
    return body?.kind === "json" ? body.value : undefined;
  }

  /** The body if it is a Protobuf message. */
  get message(): AnyMessage | undefined {
    const body = this.body;
    return body?.kind === "message" ? body.value : undefined;
  }

  /** Where it happened. */
  get location(): Location | undefined {
    let location: Location | undefined;
    this.#eachField(Tag.location, (cursor, end) => {
      location = readLocation(cursor, end, location);
    });
    return location;
  }

  /** When it happened, by the producer's clock, cut to milliseconds. */
  get eventTime(): Date | undefined {
    const exact = this.eventTimestamp;
    return exact === undefined ? undefined : dateOfTimestamp(exact);
  }

  /** When it happened, to the nanosecond. */
  get eventTimestamp(): Timestamp | undefined {
    let time: Timestamp | undefined;
    this.#eachField(Tag.eventTime, (cursor, end) => {
      time = readTime(cursor, end, time);
    });
    return time;
  }

  /** Its lifetime from `time` on, in milliseconds, to the microsecond. Undefined: as long as the topic keeps it. */
  get lifetimeMs(): number | undefined {
    const lifetime = this.#lifetime;
    return lifetime && msOfDuration(lifetime);
  }

  /** As in proto3 JSON: offset as a string, bytes in base64, times as RFC 3339. */
  toJSON(): JsonObject {
    const { body, location, eventTimestamp } = this;
    const lifetime = this.#lifetime;
    const object: JsonObject = {};
    if (this.key !== "") object["key"] = this.key;
    if (this.#hasAttributes) object["attributes"] = jsonOfMap(this.attributes);
    if (body !== undefined) object[body.kind] = bodyJson(body);
    if (location !== undefined) object["location"] = { ...location };
    if (eventTimestamp !== undefined) object["eventTime"] = timestampText(eventTimestamp);
    if (lifetime !== undefined) object["lifetime"] = durationText(lifetime);
    object["time"] = timestampText(timestampOfMicros(this.timeMicros));
    object["offset"] = String(this.offset);
    return object;
  }

  /** What `console.log` shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): JsonObject {
    return this.toJSON();
  }

  get #lifetime(): Duration | undefined {
    let lifetime: Duration | undefined;
    this.#eachField(Tag.lifetime, (cursor, end) => {
      lifetime = readTime(cursor, end, lifetime);
    });
    return lifetime;
  }

  #readBody(): RecordBody {
    switch (this.#bodyTag) {
      case Tag.data:
        return { kind: "data", value: this.#bytes.subarray(this.#bodyAt, this.#bodyEnd) };
      case Tag.text:
        return { kind: "text", value: this.#bytes.toString("utf8", this.#bodyAt, this.#bodyEnd) };
      case Tag.json:
        return { kind: "json", value: decodeStruct(this.#bytes, this.#bodyAt, this.#bodyEnd) };
      default:
        return { kind: "message", value: readAny({ bytes: this.#bytes, at: this.#bodyAt }, this.#bodyEnd) };
    }
  }

  #readAttributes(): Map<string, string> {
    const attributes = new Map<string, string>();
    this.#eachField(Tag.attributes, (cursor, end) => {
      readAttribute(cursor, end, attributes);
    });
    return attributes;
  }

  /** Walks the record again: for fields that few readers look at. */
  #eachField(tag: number, visit: (cursor: BufferCursor, end: number) => void): void {
    const cursor = { bytes: this.#bytes, at: this.#start };
    while (cursor.at < this.#end) {
      if (this.#bytes[cursor.at] === tag) {
        cursor.at += 1;
        const end = enter(cursor, this.#end);
        visit(cursor, end);
        cursor.at = end;
      } else skipField(cursor, this.#end);
    }
  }
}

function readAny(cursor: BufferCursor, end: number): AnyMessage {
  const [typeUrl, value] = readPair(cursor, end);
  return { typeUrl: decodeText(typeUrl, 0, typeUrl.length), value };
}

function bodyJson(body: RecordBody): JsonValue {
  switch (body.kind) {
    case "data":
      return base64(body.value);
    case "text":
    case "json":
      return body.value;
    case "message":
      // Its own JSON form needs its type, which is not known here.
      return { "@type": body.value.typeUrl, value: base64(body.value.value) };
    default:
      return body satisfies never;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
