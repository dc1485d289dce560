import type { Position, Rectangle } from "../core/index.js";
import {
  StateServiceListResponse,
  StateServiceService,
  StateServiceWatchResponse,
} from "../gen/millrace/v1/state_service.js";
import { filterMap } from "../streams/index.js";
import { decodeRecordsMessage, type ReceivedRecord, type RecordsMessage } from "../wire/index.js";
import { clientError } from "./client-error.js";
import type { Connection, UnaryOptions } from "./connection.js";
import { type Place, type RecordPage, type RecordStream, recordStream } from "./record-stream.js";
import { type Reconnecting, resumingMessages, type ResumeOptions } from "./resuming-messages.js";
import { wholeNumber } from "./start.js";

/** The latest record of each key of keyed topics. */
export interface StateReader {
  /** The latest record of a key; undefined when it has none, or was removed. */
  get(topic: string, key: string, options?: UnaryOptions): Promise<ReceivedRecord | undefined>;
  /** The latest records of up to 1000 keys, in the order of keys. Keys that have none are left out. */
  getMany(topic: string, keys: readonly string[], options?: UnaryOptions): Promise<readonly ReceivedRecord[]>;
  /** The state in the order of keys. Each page is as the state was when it was read. */
  list(topic: string, options?: ListStateOptions): RecordStream;
  /**
   * The state, and then every change of it: a record without a body removes its key. Whoever reads slowly gets fewer
   * changes of each key, and always the latest. Across lost connections; its `position` is where to watch on.
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
  /** Stop after so many records. Default: no limit. */
  readonly limit?: number | undefined;
  /** Told what happens besides records. What it throws ends the stream. */
  readonly onEvent?: ((event: Reconnecting) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What happens to a watch besides records. Events come in order with the records around them. */
export type WatchEvent =
  /** The state was given, and what changed meanwhile; what follows is live. Again after each reconnection. */
  | { readonly type: "snapshot-end"; readonly position: Position }
  /** These keys have changed, and are not (any more) among those asked for: forget what you have of them. */
  | { readonly type: "left"; readonly keys: readonly string[] }
  /** What was removed since `start` is not known any more: forget everything; the whole state follows. */
  | { readonly type: "reset" }
  /** Nothing has come for a while. */
  | { readonly type: "heartbeat" }
  /** The topic is closed and everything was given: the stream ends. */
  | { readonly type: "closed"; readonly position: Position }
  | Reconnecting;

export interface WatchStateOptions extends StateSelection, ResumeOptions {
  /** Where an earlier watch stood. Default: the whole state comes first. */
  readonly start?: Position | undefined;
  /** Leave out the state as it stands: only what changes from now on. Not with `start`. Default false. */
  readonly changesOnly?: boolean | undefined;
  /** Leave out tombstones and `left`: for those who only collect. Default false. */
  readonly withoutTombstones?: boolean | undefined;
  /** Told what happens besides records. What it throws ends the stream. */
  readonly onEvent?: ((event: WatchEvent) => void) | undefined;
  /** A server that sends nothing for so long, heartbeats neither, is taken for dead, in milliseconds. Default 45 000. */
  readonly silenceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A listing that gets nowhere for so long fails. */
const giveUpAfterMs = 60_000;

const getShape = { ...StateServiceService.get, responseDeserialize: decodeRecordsMessage };
const listShape = { ...StateServiceService.list, responseDeserialize: decodeRecordsMessage };
const watchShape = { ...StateServiceService.watch, responseDeserialize: decodeRecordsMessage };

const nowhere: Position = { epoch: 0, offset: 0 };

export function stateOf(connection: Connection): StateReader {
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
      // A call that broke off after its last record must not be opened again without a limit.
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
    return records.length > 0 ? { records, next: next ?? nowhere } : undefined;
  });
  // The state is of one position, however far the listing is.
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
        // Resumed, the position says where it began.
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

/** What a message tells besides records: they have other keys than those that left. */
function eventsOf({ rest, next }: RecordsMessage): readonly WatchEvent[] {
  if (rest === undefined) return [];
  const { event, left } = StateServiceWatchResponse.decode(rest);
  const position = next ?? nowhere;
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
