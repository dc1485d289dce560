import type { BackoffOptions } from "../streams/index.js";
import type { Reconnecting } from "./resuming-messages.js";

export interface PublisherOptions {
  /** A batch is sent when it has this many records. Default 500, at most 1000. */
  readonly batchRecords?: number | undefined;
  /** A batch is sent when it has this many bytes. Default 256 KiB, at most 1 MiB. */
  readonly batchBytes?: number | undefined;
  /** How long the first record of a batch waits for others, in milliseconds. Default 5. */
  readonly lingerMs?: number | undefined;
  /** The most bytes of records that may be unacknowledged. Default 16 MiB. */
  readonly bufferBytes?: number | undefined;
  /** Names the producer. Default: a random name. With a fixed name, a later instance fences the earlier one. */
  readonly producerId?: string | undefined;
  /**
   * The fencing number, 0 or more. Default: one more than the last one of this name, which the publisher asks the
   * server for. The publisher fails if its name has already published at this generation.
   */
  readonly generation?: number | undefined;
  /** Publish only to this incarnation of the topic. Default: the one of the first acknowledgement. */
  readonly epoch?: number | undefined;
  /** Receives an event for each lost connection, with the wait before the retry. */
  readonly onEvent?: ((event: Reconnecting) => void) | undefined;
  /** Waits between tries: full jitter, by default 100 ms doubling to 5 s. Shorter when the server is back. */
  readonly backoff?: BackoffOptions | undefined;
}

/** The result of `publishAll`. */
export interface PublishTotals {
  readonly records: number;
  /** The offset of the first record; undefined when there was none. */
  readonly firstOffset: number | undefined;
  /** The offset after the last record. */
  readonly nextOffset: number | undefined;
}

export interface PublishAllOptions {
  readonly signal?: AbortSignal | undefined;
  /** Receives, after each acknowledged batch, the number of records so far. */
  readonly onAcknowledged?: ((records: number) => void) | undefined;
}
