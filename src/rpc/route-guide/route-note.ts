/** A note of the route guide as a record: its place is the key, its message the text, its call an attribute. */

import { type BatchLimits, invalidArgument } from "../../core/index.js";
import { type Filter, parseFilter } from "../../filter/index.js";
import { AppendRequest } from "../../gen/millrace/v1/record_service.js";
import { type Point, RouteNote } from "../../gen/routeguide/route_guide.js";
import { type ReceivedRecord, type RecordBatch, splitRequest } from "../../wire/index.js";
import { keyOfPoint, locationOfPoint, pointOfKey } from "./route-point.js";

const callAttribute = "call";

/** An upper bound for a note's record without its message. */
const overheadBytesMax = 256;

/** Decodes a request. Refuses invalid UTF-8, which the decoder would replace with U+FFFD. */
export function decodeNote(bytes: Buffer): RouteNote {
  const note = RouteNote.decode(bytes);
  if (note.message.includes("\uFFFD") && !bytes.includes(note.message))
    throw invalidArgument("message", "is not UTF-8");
  return note;
}

/** The message. Throws `invalid-argument` if no record can hold it. */
export function checkMessage(message: string, recordBytes: number): string {
  const bytes = Buffer.byteLength(message);
  const bytesMax = recordBytes - overheadBytesMax;
  if (bytes <= bytesMax) return message;
  throw invalidArgument(
    "message",
    `has ${bytes} bytes, at most ${bytesMax} are allowed (MILLRACE_RECORD_BYTES less ${overheadBytesMax})`,
  );
}

/** A batch with one note, to append. */
export function batchOfNote(
  { location, message }: { readonly location: Point; readonly message: string },
  call: string,
  limits: BatchLimits,
): RecordBatch {
  const record = {
    key: keyOfPoint(location),
    attributes: new Map([[callAttribute, call]]),
    body: { $case: "text", value: message },
    location: locationOfPoint(location),
    eventTime: undefined,
    lifetime: undefined,
    time: undefined,
    offset: undefined,
  } as const;
  const request = { topic: "", records: [record], expectedOffset: undefined, producer: undefined, epoch: 0 };
  return splitRequest(AppendRequest.encode(request).finish(), limits).batch;
}

/** A batch without records: opens a Publish call without writing. */
export function batchOfNothing(limits: BatchLimits): RecordBatch {
  return splitRequest(new Uint8Array(), limits).batch;
}

/** Undefined: the record is not a note. Anybody may publish to the topic. */
export function noteOfRecord({ key, text }: ReceivedRecord): RouteNote | undefined {
  const location = pointOfKey(key);
  return location === undefined || text === undefined ? undefined : { location, message: text };
}

export function isWrittenBy(call: string, record: ReceivedRecord): boolean {
  return record.attributes.get(callAttribute) === call;
}

/** The filter for the notes at a place: the database skips the others. */
export function notesAt(point: Point): Filter {
  return parseFilter(`key == "${keyOfPoint(point)}"`);
}
