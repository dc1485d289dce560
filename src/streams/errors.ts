/** Why a call was refused. */
export type StreamsErrorCode =
  | "channel-closed"
  | "channel-full"
  | "nothing-to-receive"
  | "recovery-short"
  | "semaphore-full"
  | "lane-full"
  | "limit-exceeded"
  | "writable-closed"
  | "too-slow"
  | "line-too-long"
  | "line-not-utf8"
  | "timed-out"
  | "scope-full"
  | "scope-closed";

/** The errors of this room, apart from wrong arguments (`RangeError`) and aborts (the signal's reason). */
export class StreamsError extends Error {
  override readonly name: string = "StreamsError";
  readonly code: StreamsErrorCode;

  constructor(code: StreamsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Why a send can never succeed. */
export type ClosedState =
  | "the channel is closed"
  | "the receiver is gone"
  | "the sender is closed"
  | "the slot was used or released"
  | "the broadcast is closed"
  | "the value was sent already";

/** A send after `close` or `fail`, or after the receiver left. */
export class ChannelClosedError extends StreamsError {
  override readonly name = "ChannelClosedError";

  constructor(state: ClosedState) {
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

/** A `receive` of a oneshot that has no value. */
export class NothingToReceiveError extends StreamsError {
  override readonly name = "NothingToReceiveError";

  constructor(
    state: "the sender closed without sending" | "the value was received already" | "the receiver is closed",
  ) {
    super("nothing-to-receive", `Cannot receive: ${state}`);
  }
}

/** A `recover` that returned fewer items than a receiver of a broadcast had missed. */
export class RecoveryShortError extends StreamsError {
  override readonly name = "RecoveryShortError";
  readonly from: number;
  readonly to: number;
  /** How many items it returned, instead of `to - from`. */
  readonly given: number;

  constructor(gap: { readonly from: number; readonly to: number }, given: number) {
    super("recovery-short", `Cannot recover positions ${gap.from} to ${gap.to}: the recovery gave ${given} items`);
    this.from = gap.from;
    this.to = gap.to;
    this.given = given;
  }
}

/** An acquire when `maxWaiting` others wait already. */
export class SemaphoreFullError extends StreamsError {
  override readonly name = "SemaphoreFullError";
  readonly maxWaiting: number;

  constructor(maxWaiting: number) {
    super("semaphore-full", `Cannot acquire: ${maxWaiting} are waiting already`);
    this.maxWaiting = maxWaiting;
  }
}

/** A task for a lane whose queue is full. */
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

/** More items than the limit of `collect`, `tryCollect` or a window of `timeWindows`. */
export class LimitExceededError extends StreamsError {
  override readonly name = "LimitExceededError";
  readonly limit: number;

  constructor(limit: number) {
    super("limit-exceeded", `Cannot collect more than ${limit} items: the source has more`);
    this.limit = limit;
  }
}

/** A writable that was closed before it had all items. */
export class WritableClosedError extends StreamsError {
  override readonly name = "WritableClosedError";

  constructor() {
    super("writable-closed", "Cannot write: the writable is closed");
  }
}

/** What a disconnected sink of `fanOut` gets after its items: it did not take them fast enough. */
export class TooSlowError extends StreamsError {
  override readonly name = "TooSlowError";
  readonly capacity: number;

  constructor(capacity: number) {
    super("too-slow", `Cannot keep up: ${capacity} items are waiting already`);
    this.capacity = capacity;
  }
}

/** A line that is longer than `maxLineBytes` of `lines`. */
export class LineTooLongError extends StreamsError {
  override readonly name = "LineTooLongError";
  /** From 1. */
  readonly line: number;
  readonly maxLineBytes: number;

  constructor(source: string, line: number, maxLineBytes: number) {
    super("line-too-long", `Cannot read line ${line} of ${source}: it is longer than ${maxLineBytes} bytes`);
    this.line = line;
    this.maxLineBytes = maxLineBytes;
  }
}

/** A line whose bytes are not UTF-8, when `invalidUtf8` of `lines` is "fail". */
export class LineNotUtf8Error extends StreamsError {
  override readonly name = "LineNotUtf8Error";
  /** From 1. */
  readonly line: number;

  constructor(source: string, line: number) {
    super("line-not-utf8", `Cannot read line ${line} of ${source}: it is not UTF-8`);
    this.line = line;
  }
}

/** Something took longer than its limit. */
export class TimeoutError extends StreamsError {
  override readonly name = "TimeoutError";
  /** What was waited for. */
  readonly what: string;
  readonly ms: number;

  constructor(what: string, ms: number) {
    super("timed-out", `Cannot wait for ${what} any longer: ${ms} ms have passed`);
    this.what = what;
    this.ms = ms;
  }
}

/** A `spawn` when `maxChildren` children run already. */
export class ScopeFullError extends StreamsError {
  override readonly name = "ScopeFullError";
  readonly maxChildren: number;

  constructor(maxChildren: number) {
    super("scope-full", `Cannot spawn: ${maxChildren} children are running already`);
    this.maxChildren = maxChildren;
  }
}

/** A `spawn` in a scope that is over. */
export class ScopeClosedError extends StreamsError {
  override readonly name = "ScopeClosedError";

  constructor() {
    super("scope-closed", "Cannot spawn: the scope is over");
  }
}
