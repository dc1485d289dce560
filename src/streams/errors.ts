/** Why a piece of this room refused. */
export type StreamsErrorCode =
  | "channel-closed"
  | "channel-full"
  | "semaphore-full"
  | "lane-full"
  | "limit-exceeded"
  | "writable-closed"
  | "too-slow";

/** What this room refuses, apart from wrong arguments (`RangeError`) and aborts (the signal's reason). */
export class StreamsError extends Error {
  override readonly name: string = "StreamsError";
  readonly code: StreamsErrorCode;

  constructor(code: StreamsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A send after `close` or `fail`, or after the receiver left. */
export class ChannelClosedError extends StreamsError {
  override readonly name = "ChannelClosedError";

  constructor(state: "the channel is closed" | "the receiver is gone") {
    super("channel-closed", `Cannot send: ${state}`);
  }
}

/** A send to a full channel whose overflow is "fail". */
export class ChannelFullError extends StreamsError {
  override readonly name = "ChannelFullError";
  readonly capacity: number;

  constructor(capacity: number) {
    super("channel-full", `Cannot send: the channel is full, its capacity is ${capacity}`);
    this.capacity = capacity;
  }
}

/** An acquire where as many wait as may. */
export class SemaphoreFullError extends StreamsError {
  override readonly name = "SemaphoreFullError";
  readonly maxWaiting: number;

  constructor(maxWaiting: number) {
    super("semaphore-full", `Cannot acquire: ${maxWaiting} are waiting already`);
    this.maxWaiting = maxWaiting;
  }
}

/** A task for a lane where as many wait as may. */
export class LaneFullError extends StreamsError {
  override readonly name = "LaneFullError";
  readonly lane: string;
  readonly queue: number;

  constructor(lane: string, queue: number) {
    super("lane-full", `Cannot queue in lane "${lane}": ${queue} are waiting already`);
    this.lane = lane;
    this.queue = queue;
  }
}

/** More items than `collect` was told to expect. */
export class LimitExceededError extends StreamsError {
  override readonly name = "LimitExceededError";
  readonly limit: number;

  constructor(limit: number) {
    super("limit-exceeded", `Cannot collect more than ${limit} items: the source has more`);
    this.limit = limit;
  }
}

/** A writable that was closed, by whomever, before it had all items. */
export class WritableClosedError extends StreamsError {
  override readonly name = "WritableClosedError";

  constructor() {
    super("writable-closed", "Cannot write: the writable is closed");
  }
}

/** What a sink of `fanOut` gets after its items when it was disconnected: it did not take them fast enough. */
export class TooSlowError extends StreamsError {
  override readonly name = "TooSlowError";
  readonly capacity: number;

  constructor(capacity: number) {
    super("too-slow", `Cannot keep up: ${capacity} items are waiting already`);
    this.capacity = capacity;
  }
}
