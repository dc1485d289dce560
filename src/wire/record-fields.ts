/**
 * The fields of millrace.v1.Record on the wire, of the messages in it, and of a page of records. No other file has their
 * numbers, and `test/wire/record-fields.test.ts` compares them with the descriptor.
 *
 * A tag is a field's number and wire type: one byte, since all numbers are below 16. `scan-record.ts` refuses longer forms,
 * so one byte identifies the field.
 */

import { endOfFrame } from "../core/index.js";
import { WireType } from "./varint.js";

const { varint, fixed64, bytes: delimited } = WireType;

/** Fields of millrace.v1.Record. `data` to `message` are its body; `time` and `offset` are the server's stamp. */
export const RecordTag = {
  key: tagOf(1, delimited),
  attributes: tagOf(2, delimited),
  data: tagOf(3, delimited),
  text: tagOf(4, delimited),
  json: tagOf(5, delimited),
  message: tagOf(6, delimited),
  location: tagOf(7, delimited),
  eventTime: tagOf(8, delimited),
  lifetime: tagOf(9, delimited),
  time: tagOf(14, delimited),
  offset: tagOf(15, fixed64),
} as const;

/** Fields of an entry of `attributes`. */
export const AttributeTag = { key: tagOf(1, delimited), value: tagOf(2, delimited) } as const;

/** Fields of `message`, a google.protobuf.Any. */
export const AnyTag = { typeUrl: tagOf(1, delimited), value: tagOf(2, delimited) } as const;

/** Fields of millrace.v1.Location. */
export const LocationTag = { latitude: tagOf(1, fixed64), longitude: tagOf(2, fixed64) } as const;

/** Fields of google.protobuf.Timestamp and Duration. */
export const TimeTag = { seconds: tagOf(1, varint), nanos: tagOf(2, varint) } as const;

/** `records` of ReadResponse, and of every response with records: a frame is this tag, a length and the record. */
export const frameTag = tagOf(1, delimited);

/** `next` of ReadResponse, FollowResponse, ListResponse and WatchResponse: the position after a page. */
export const nextTag = tagOf(2, delimited);

/** Fields of millrace.v1.Position. */
export const PositionTag = { epoch: tagOf(1, varint), offset: tagOf(2, varint) } as const;

function tagOf(field: number, type: number): number {
  return field * 8 + type;
}

/**
 * Where the field ends whose tag is at `at`, in a checked record, attribute or location. All of their fields are
 * length-delimited, as a frame is, or eight bytes wide.
 */
export function endOfField(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) & 7) === fixed64 ? at + 9 : endOfFrame(bytes, at);
}

/** Where the contents begin of the length-delimited field, or the frame, whose tag is at `at`. */
export function startOfContents(bytes: Uint8Array, at: number): number {
  let next = at + 1;
  while ((bytes[next] as number) >= 0x80) next += 1;
  return next + 1;
}
