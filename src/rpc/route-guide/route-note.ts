/** A note of the route guide as a record: its place is the key, its message the text, and the call that wrote it an attribute. */

import { invalidArgument, type Limits } from "../../core/index.js";
import { type Filter, parseFilter } from "../../filter/index.js";
import { AppendRequest } from "../../gen/millrace/v1/record_service.js";
import { type Point, RouteNote } from "../../gen/routeguide/route_guide.js";
import { type ReceivedRecord, type RecordBatch, splitRequest } from "../../wire/index.js";
import { keyOfPoint, locationOfPoint, pointOfKey } from "./route-point.js";

const callAttribute = "call";

/** What a note's record has besides its message, at most. */
const overheadBytes = 256;

/** What the largest record and batch are. */
export type BatchLimits = Pick<Limits, "recordBytes" | "batchRecords" | "batchBytes">;

/** Reads a request. What is no UTF-8 would be decoded with U+FFFD in its place, and recorded so. */
export function decodeNote(bytes: Buffer): RouteNote {
  const note = RouteNote.decode(bytes);
  if (note.message.includes("\uFFFD") && !bytes.includes(note.message))
    throw invalidArgument("message", "is not UTF-8");
  return note;
}

/** The message, or `invalid-argument` where no record could hold it. */
export function checkMessage(message: string, recordBytes: number): string {
  const bytes = Buffer.byteLength(message);
  const most = recordBytes - overheadBytes;
  if (bytes <= most) return message;
  throw invalidArgument(
    "message",
    `has ${bytes} bytes, at most ${most} are allowed (MILLRACE_RECORD_BYTES less ${overheadBytes})`,
  );
}

/** A note to append, as a batch of its own. */
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

/** What opens a topic without writing to it. */
export function batchOfNothing(limits: BatchLimits): RecordBatch {
  return splitRequest(new Uint8Array(), limits).batch;
}

/** Undefined: somebody published something else to the topic. */
export function noteOfRecord({ key, text }: ReceivedRecord): RouteNote | undefined {
  const location = pointOfKey(key);
  return location === undefined || text === undefined ? undefined : { location, message: text };
}

export function isWrittenBy(call: string, record: ReceivedRecord): boolean {
  return record.attributes.get(callAttribute) === call;
}

/** The notes at a place, for a read: the database passes over the others. */
export function notesAt(point: Point): Filter {
  return parseFilter(`key == "${keyOfPoint(point)}"`);
}
