import type { Position, Rectangle } from "../core/index.js";
import {
  StateServiceListResponse,
  StateServiceService,
  StateServiceWatchResponse,
} from "../gen/millrace/v1/state_service.js";
import { filterMap } from "../streams/index.js";
import { decodeRecordsMessage, positionOf, type ReceivedRecord, type RecordsMessage } from "../wire/index.js";
import { clientError } from "./client-error.js";
import type { Connection, UnaryOptions } from "./connection.js";
import { type Place, type RecordPage, type RecordStream, recordStream } from "./record-stream.js";
import { type Reconnecting, resumingMessages, type ResumeOptions } from "./resuming-messages.js";
import { wholeNumber } from "./start.js";

/** The latest record of each key of keyed topics. */
export interface StateReader {
  /** The latest record of a key; undefined if the key has none or was removed. */
  get(topic: string, key: string, options?: UnaryOptions): Promise<ReceivedRecord | undefined>;
  /** The latest records of up to 1000 keys, in the order of keys. Keys without a record are left out. */
  getMany(topic: string, keys: readonly string[], options?: UnaryOptions): Promise<readonly ReceivedRecord[]>;
  /** The state in the order of keys. Each page shows the state at the time when the page was read. */
  list(topic: string, options?: ListStateOptions): RecordStream;
  /**
   * The state, then its changes, across lost connections. A record without a body removes its key. A slow reader
   * receives fewer changes of each key, but always the latest. `position` is where to resume the watch.
   */
  watch(topic: string, options?: WatchStateOptions): RecordStream;
}

/** Which records of the state. */
export interface StateSelection {
  /** Only keys that begin with this. */
  readonly keyPrefix?: string | undefined;
  /** Only records with a location inside. */
  readonly rectangle?: Rectangle | undefined;
  /** Only records for which this CEL expression is true. */
  readonly filter?: string | undefined;
}

export interface ListStateOptions extends StateSelection, ResumeOptions {
  /** Only keys above this one, in the order of their UTF-8 bytes. */
  readonly afterKey?: string | undefined;
  /** The most records to list. Default: no limit. */
  readonly limit?: number | undefined;
  /** Receives events. What it throws ends the stream. */
  readonly onEvent?: ((event: Reconnecting) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a watch reports besides records. Events are in order with the records around them. */
export type WatchEvent =
  /** The whole state was delivered, with its changes meanwhile; live changes follow. Also after each reconnection. */
  | { readonly type: "snapshot-end"; readonly position: Position }
  /** These keys have changed and do not, or no longer, match the selection: forget their records. */
  | { readonly type: "left"; readonly keys: readonly string[] }
  /** The server no longer knows which keys were removed since `start`: forget everything. The whole state follows. */
  | { readonly type: "reset" }
  /** Nothing else was sent for a while. */
  | { readonly type: "heartbeat" }
  /** The topic is closed and everything was delivered: the stream ends. */
  | { readonly type: "closed"; readonly position: Position }
  | Reconnecting;

export interface WatchStateOptions extends StateSelection, ResumeOptions {
  /** The position of an earlier watch. Default: the whole state is delivered first. */
  readonly start?: Position | undefined;
  /** Only changes from now on, without the current state. Not with `start`. Default false. */
  readonly changesOnly?: boolean | undefined;
  /** Leave out tombstones and `left`, for readers that ignore removals. Default false. */
  readonly withoutTombstones?: boolean | undefined;
  /** Receives events. What it throws ends the stream. */
  readonly onEvent?: ((event: WatchEvent) => void) | undefined;
  /**
   * The client reconnects after this time without any message, not even a heartbeat, in milliseconds. Default 45 000.
   */
  readonly silenceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A listing without progress fails after this time. */
const giveUpAfterMs = 60_000;

const getShape = { ...StateServiceService.get, responseDeserialize: decodeRecordsMessage };
const listShape = { ...StateServiceService.list, responseDeserialize: decodeRecordsMessage };
const watchShape = { ...StateServiceService.watch, responseDeserialize: decodeRecordsMessage };

export function stateReaderOf(connection: Connection): StateReader {
  const getMany = async (topic: string, keys: readonly string[], options?: UnaryOptions) =>
    (await connection.unary(getShape, { topic, keys: [...keys] }, options)).records;
  return {
    get: async (topic, key, options) => (await getMany(topic, [key], options))[0],
    getMany,
    list: (topic, options = {}) => listState(connection, topic, options),
    watch: (topic, options = {}) => watchState(connection, topic, options),
  };
}

function listState(connection: Connection, topic: string, options: ListStateOptions): RecordStream {
  const place: Place = { position: undefined };
  const limit = wholeNumber(options.limit ?? 0, "limit");
  let afterKey = options.afterKey ?? "";
  let delivered = 0;
  const messages = resumingMessages<RecordsMessage>({
    open: async () => {
      // All records were delivered before the call was lost; a `limit` of 0 would mean no limit.
      if (limit !== 0 && delivered >= limit) return undefined;
      return connection.serverStream(listShape, {
        topic,
        ...selectionOf(options),
        afterKey,
        limit: limit && limit - delivered,
      });
    },
    isProgress: ({ records }) => records.length > 0,
    onReconnecting: (event) => options.onEvent?.(event),
    connection,
    silenceMs: undefined,
    backoff: options.backoff,
    giveUpAfterMs: options.giveUpAfterMs ?? giveUpAfterMs,
    signal: options.signal,
  });
  const pages = filterMap(messages, ({ records, next, rest }): RecordPage | undefined => {
    delivered += records.length;
    const lastKey = rest === undefined ? "" : StateServiceListResponse.decode(rest).lastKey;
    afterKey = lastKey || (records.at(-1)?.key ?? afterKey);
    return records.length > 0 ? { records, next: positionOf(next) } : undefined;
  });
  // A listing has one position: that of the state, not of its progress.
  return recordStream(pages, place, (_record, epoch) => place.position ?? { epoch, offset: 0 });
}

function watchState(connection: Connection, topic: string, options: WatchStateOptions): RecordStream {
  const place: Place = { position: undefined };
  let { start } = options;
  const messages = resumingMessages<RecordsMessage>({
    open: async () =>
      connection.serverStream(watchShape, {
        topic,
        ...selectionOf(options),
        start,
        // A resumed watch has a position, which excludes `changesOnly`.
        changesOnly: start === undefined && options.changesOnly === true,
        withoutTombstones: options.withoutTombstones === true,
      }),
    isProgress: (message) => message.records.length > 0 || eventsOf(message).some(({ type }) => type === "heartbeat"),
    onReconnecting: (event) => options.onEvent?.(event),
    connection,
    silenceMs: options.silenceMs ?? 45_000,
    backoff: options.backoff,
    giveUpAfterMs: options.giveUpAfterMs,
    signal: options.signal,
  });
  const pages = filterMap(messages, (message): RecordPage | undefined => {
    const { records, next } = message;
    if (next === undefined) throw clientError("INTERNAL", "The server sent a change without a position");
    start = next;
    // Everything before this message has been delivered, or it would not have been pulled.
    if (records.length === 0) place.position = next;
    for (const event of eventsOf(message)) options.onEvent?.(event);
    return records.length > 0 ? { records, next } : undefined;
  });
  return recordStream(pages, place, (record, epoch) => ({ epoch, offset: record.offset + 1 }));
}

function selectionOf({ keyPrefix = "", rectangle, filter = "" }: StateSelection) {
  return { keyPrefix, rectangle, filter };
}

/** The events of a message. Keys in `left` differ from the keys of its records, so their order does not matter. */
function eventsOf({ rest, next }: RecordsMessage): readonly WatchEvent[] {
  if (rest === undefined) return [];
  const { event, left } = StateServiceWatchResponse.decode(rest);
  const position = positionOf(next);
  const leaving: WatchEvent[] = left.length === 0 ? [] : [{ type: "left", keys: left }];
  switch (event?.$case) {
    case undefined:
      return leaving;
    case "snapshotEnd":
      return [...leaving, { type: "snapshot-end", position }];
    case "heartbeat":
      return [...leaving, { type: "heartbeat" }];
    case "closed":
      return [...leaving, { type: "closed", position }];
    case "reset":
      return [{ type: "reset" }, ...leaving];
    default:
      throw event satisfies never;
  }
}
