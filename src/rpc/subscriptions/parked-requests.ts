import { invalidArgument } from "../../core/index.js";
import type { ParkedSelection, Subscriptions } from "../../engine/index.js";
import {
  type DiscardParkedRecordsRequest,
  GetParkedRecordResponse,
  type ListParkedRecordsRequest,
  ListParkedRecordsResponse,
  ParkedRecord,
  type RedriveParkedRecordsRequest,
} from "../../gen/millrace/v1/subscription_service.js";
import { timestampOfMicros, varintLength, writeVarint } from "../../wire/index.js";
import { decodePageToken, encodePageToken } from "../page-token.js";
import { optionalFilter, pageSize } from "../validate.js";
import { checkRangeCount, decodeRanges } from "./offset-ranges.js";

type StoredParked = Awaited<ReturnType<Subscriptions["getParked"]>>;
type ParkedPage = Awaited<ReturnType<Subscriptions["listParked"]>>;

/** Records per second; 0 means all at once. */
const rateBounds = { min: 0.001, max: 1_000_000 } as const;

/** `ParkedRecord record = 1` of both responses. */
const parkedTag = 0x0a;

export function decodeListParked(request: ListParkedRecordsRequest): Parameters<Subscriptions["listParked"]>[0] {
  return {
    subscription: request.subscription,
    filter: optionalFilter(request.filter),
    from: decodeFrom(request.pageToken),
    count: pageSize(request.pageSize),
  };
}

function decodeFrom(token: string): number {
  const from = decodePageToken("parked", token);
  if (!/^\d{0,16}$/.test(from) || !Number.isSafeInteger(Number(from))) {
    throw invalidArgument("page_token", "is not a page token of this method: start again without it");
  }
  return Number(from);
}

export function decodeSelection(request: RedriveParkedRecordsRequest | DiscardParkedRecordsRequest): ParkedSelection {
  const { subscription, offsets, filter } = request;
  checkRangeCount(offsets.length, "offsets");
  return { subscription, offsets: decodeRanges(offsets, "offsets"), filter: optionalFilter(filter) };
}

export function checkRate(rate: number): number {
  const { min, max } = rateBounds;
  // Written so that NaN is refused.
  if (rate !== 0 && !(rate >= min && rate <= max)) {
    throw invalidArgument(
      "rate",
      `must be from ${min} to ${max} records per second, or 0 for all at once, got ${rate}`,
    );
  }
  return rate;
}

export function encodeParkedPage({ records, next }: ParkedPage): Buffer {
  const nextPageToken = next === undefined ? "" : encodePageToken("parked", String(next));
  const rest = ListParkedRecordsResponse.encode({ records: [], nextPageToken }).finish();
  return Buffer.concat([...records.flatMap(parkedField), rest]);
}

export function encodeParked(parked: StoredParked): Buffer {
  return Buffer.concat([...parkedField(parked), GetParkedRecordResponse.encode({ record: undefined }).finish()]);
}

/** A frame already is the field `Record record = 1` of a ParkedRecord, so records are sent as they are stored. */
function parkedField({ frame, parkedMicros, deliveries, reasons }: StoredParked): readonly Uint8Array[] {
  const rest = ParkedRecord.encode({
    record: undefined,
    parkTime: timestampOfMicros(parkedMicros),
    attempts: deliveries,
    reasons: [...reasons],
  }).finish();
  const length = frame.length + rest.length;
  const head = Buffer.allocUnsafe(1 + varintLength(length));
  head[0] = parkedTag;
  writeVarint(head, 1, length);
  return [head, frame, rest];
}
