import type { OffsetRange } from "../../core/index.js";
import {
  ListParkedRecordsResponse,
  ParkedRecord as ParkedRecordFields,
  SubscriptionServiceService as Service,
} from "../../gen/millrace/v1/subscription_service.js";
import {
  dateOfTimestamp,
  decodeParkedMessage,
  type JsonObject,
  type ParkedMessage,
  type ReceivedRecord,
  timestampText,
} from "../../wire/index.js";
import { clientError } from "../client-error.js";
import type { Connection, UnaryOptions } from "../connection.js";
import { wholeNumber } from "../start.js";

/** A record that was set aside after failures. */
export interface ParkedRecord {
  /** It is kept even after its topic has deleted it. */
  readonly record: ReceivedRecord;
  readonly parkTime: Date;
  /** How often it was delivered. */
  readonly attempts: number;
  /** What went wrong, one reason per attempt, the oldest first; only the newest 100. */
  readonly reasons: readonly string[];
  /** In proto3 JSON. */
  toJSON(): JsonObject;
}

/** Which parked records. Default: all that are parked now. */
export interface ParkedSelection extends UnaryOptions {
  /** Only records at these offsets. */
  readonly offsets?: readonly OffsetRange[] | undefined;
  /** Only records for which this CEL expression is true. */
  readonly filter?: string | undefined;
}

export interface ListParkedOptions extends UnaryOptions {
  /** Only records for which this CEL expression is true. */
  readonly filter?: string | undefined;
  readonly pageSize?: number | undefined;
}

export interface RedriveOptions extends ParkedSelection {
  /** Records per second, 0.001 to 1,000,000. Default: all at once. */
  readonly rate?: number | undefined;
}

/** The records that a subscription has set aside. Calls throw a ClientError, or the signal's reason. */
export interface Parked {
  /** By offset. Pages are requested during the iteration. */
  list(subscription: string, options?: ListParkedOptions): AsyncGenerator<ParkedRecord, void>;
  /** Throws a NotFoundError when no record is parked at this offset. */
  get(subscription: string, offset: number, options?: UnaryOptions): Promise<ParkedRecord>;
  /** Redelivers them, with the full number of attempts. The cursor does not move. Returns how many. */
  redrive(subscription: string, options?: RedriveOptions): Promise<number>;
  /** Deletes them from the subscription. Returns how many. */
  discard(subscription: string, options?: ParkedSelection): Promise<number>;
}

const listShape = { ...Service.listParkedRecords, responseDeserialize: decodeParkedMessage };
const getShape = { ...Service.getParkedRecord, responseDeserialize: decodeParkedMessage };

export function parkedOf(connection: Connection): Parked {
  return {
    async *list(subscription, { filter = "", pageSize = 0, ...options } = {}) {
      let pageToken = "";
      do {
        const request = { subscription, filter, pageSize, pageToken };
        const { records, rest } = await connection.unary(listShape, request, options);
        yield* records.map(parkedRecordOf);
        pageToken = ListParkedRecordsResponse.decode(rest).nextPageToken;
      } while (pageToken !== "");
    },
    async get(subscription, offset, options) {
      const request = { subscription, offset: wholeNumber(offset, "offset") };
      const [record] = (await connection.unary(getShape, request, options)).records;
      if (record === undefined) throw clientError("INTERNAL", "The server answered without a record");
      return parkedRecordOf(record);
    },
    async redrive(subscription, { offsets = [], filter = "", rate = 0, ...options } = {}) {
      const request = { subscription, offsets: offsets.map(checkRange), filter, rate };
      return (await connection.unary(Service.redriveParkedRecords, request, options)).records;
    },
    async discard(subscription, { offsets = [], filter = "", ...options } = {}) {
      const request = { subscription, offsets: offsets.map(checkRange), filter };
      return (await connection.unary(Service.discardParkedRecords, request, options)).records;
    },
  };
}

function checkRange({ firstOffset, nextOffset }: OffsetRange, index: number): OffsetRange {
  return {
    firstOffset: wholeNumber(firstOffset, `offsets[${index}].first_offset`),
    nextOffset: wholeNumber(nextOffset, `offsets[${index}].next_offset`),
  };
}

function parkedRecordOf({ record, rest }: ParkedMessage): ParkedRecord {
  const { parkTime, attempts, reasons } = ParkedRecordFields.decode(rest);
  return {
    record,
    // The server always sets it.
    parkTime: dateOfTimestamp(parkTime ?? { seconds: 0, nanos: 0 }),
    attempts,
    reasons,
    toJSON: () => ({
      record: record.toJSON(),
      ...(parkTime === undefined ? {} : { parkTime: timestampText(parkTime) }),
      attempts,
      reasons,
    }),
  };
}
