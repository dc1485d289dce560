import type { BackoffOptions } from "../streams/index.js";
import type { Reconnecting } from "./resuming-messages.js";

export interface PublisherOptions {
  /** A batch with so many records is sent. Default 500, at most 1000. */
  readonly batchRecords?: number | undefined;
  /** A batch with so many bytes is sent. Default 256 KiB, at most 1 MiB. */
  readonly batchBytes?: number | undefined;
  /** How long the first record of a batch waits for others, in milliseconds. Default 5. */
  readonly lingerMs?: number | undefined;
  /** What may wait for its acknowledgement, in bytes. Default 16 MiB. */
  readonly bufferBytes?: number | undefined;
  /** Names the producer. Default: a random name. Under a fixed name the instance that begins later takes over. */
  readonly producerId?: string | undefined;
  /**
   * The fencing number, 0 or more. Default: one more than the last of this name, which the server is asked for. A publisher
   * fails where one of its name has published at it before.
   */
  readonly generation?: number | undefined;
  /** Publish only to this incarnation of the topic. Default: the one that gives the first acknowledgement. */
  readonly epoch?: number | undefined;
  /** Told when the way to the server is lost, and when it is tried again. */
  readonly onEvent?: ((event: Reconnecting) => void) | undefined;
  /** Waits between tries: full jitter, 100 ms doubling to 5 s unless told otherwise. Less when the server is back. */
  readonly backoff?: BackoffOptions | undefined;
}

/** What `publishAll` has published. */
export interface PublishTotals {
  readonly records: number;
  /** The offset of the first record; undefined when there was none. */
  readonly firstOffset: number | undefined;
  /** The offset after the last record. */
  readonly nextOffset: number | undefined;
}

export interface PublishAllOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told after each acknowledged batch how many records there are. */
  readonly onAcknowledged?: ((records: number) => void) | undefined;
}
