/**
 * What async iterators lack: channels, waits and limits that any program could use. No domain word, no I/O, no package.
 *
 * Every piece keeps one contract:
 *
 * - **pull-based**: nothing is produced before it is asked for, except into a buffer whose size the caller states;
 * - **bounded**: every buffer and queue has a bound, and no bound is infinite by default;
 * - **cancellable**: an AbortSignal or `return()` reaches a pending wait at once, and `finally` blocks run once. Listeners
 *   and timers are removed when a wait settles. A signal is meant for one call: Node warns when more than ten waits share
 *   one (`events.setMaxListeners(0, signal)` allows it), and removing a listener costs O(waits that share the signal);
 * - **errors once**: an error comes after the items before it. It is never lost, and never an unhandled rejection;
 * - **fused**: after the end, always the end;
 * - **single use**: a stream is iterated once, unless its documentation says otherwise;
 * - **cooperative**: a loop that may run for ever without a wait yields to the event loop (`createYielder`).
 */
export { abortable, sleep } from "./waits/abort.js";
export { AbortRace } from "./waits/abort-race.js";
export { systemTimers } from "./waits/timers.js";
export { createYielder, yieldToEventLoop } from "./waits/turn.js";
export { pipe } from "./pipe.js";
export { Stage } from "./stage.js";
export { END, PENDING, Stream } from "./stream.js";
export { from } from "./sources/from.js";
export { range } from "./sources/range.js";
export { reconnecting } from "./sources/reconnecting.js";
export { unfold } from "./sources/unfold.js";
export { fromEvents } from "./sources/from-events.js";
export { fromReadable } from "./sources/from-readable.js";
export { fromWebStream } from "./sources/from-web-stream.js";
export { lines } from "./sources/lines.js";
export { linesOfFile } from "./sources/lines-of-file.js";
export { linesOfFiles } from "./sources/lines-of-files.js";
export { adaptiveBuffer } from "./operators/adaptive-buffer.js";
export { buffered } from "./operators/buffered.js";
export { bufferedUnordered } from "./operators/buffered-unordered.js";
export { concat } from "./operators/concat.js";
export { flatMap } from "./operators/flat-map.js";
export { merge } from "./operators/merge.js";
export { prefetch } from "./operators/prefetch.js";
export { zip } from "./operators/zip.js";
export { select } from "./concurrency/select.js";
export { filter } from "./operators/filter.js";
export { map } from "./operators/map.js";
export { take } from "./operators/take.js";
export { distinct } from "./operators/distinct.js";
export { enumerate } from "./operators/enumerate.js";
export { filterMap } from "./operators/filter-map.js";
export { mapError } from "./operators/map-error.js";
export { recover } from "./operators/recover.js";
export { retry } from "./operators/retry.js";
export { scan } from "./operators/scan.js";
export { settle } from "./operators/settle.js";
export { skip } from "./operators/skip.js";
export { skipWhile } from "./operators/skip-while.js";
export { takeWhile } from "./operators/take-while.js";
export { tap } from "./operators/tap.js";
export { tryFilter } from "./operators/try-filter.js";
export { tryFilterMap } from "./operators/try-filter-map.js";
export { tryMap } from "./operators/try-map.js";
export { withSignal } from "./operators/with-signal.js";
export { collect } from "./sinks/collect.js";
export { fold } from "./sinks/fold.js";
export { forEach } from "./sinks/for-each.js";
export { count } from "./sinks/count.js";
export { fanOut } from "./sinks/fan-out.js";
export { first } from "./sinks/first.js";
export { forEachConcurrent } from "./sinks/for-each-concurrent.js";
export { last } from "./sinks/last.js";
export { toWritable } from "./sinks/to-writable.js";
export { tryCollect } from "./sinks/try-collect.js";
export { backoff } from "./waits/backoff.js";
export { broadcast, Lagged } from "./channels/broadcast.js";
export { channel } from "./channels/channel.js";
export { oneshot } from "./channels/oneshot.js";
export { deferred } from "./waits/deferred.js";
export {
  ChannelClosedError,
  ChannelFullError,
  LaneFullError,
  LimitExceededError,
  NothingToReceiveError,
  RecoveryShortError,
  LineNotUtf8Error,
  LineTooLongError,
  ScopeClosedError,
  ScopeFullError,
  SemaphoreFullError,
  TimeoutError,
  TooSlowError,
  WritableClosedError,
} from "./errors.js";
export { Lanes } from "./concurrency/lanes.js";
export { fromPull } from "./sources/from-pull.js";
export { Ring } from "./channels/ring.js";
export { interval } from "./sources/interval.js";
export { batch } from "./operators/batch.js";
export { chunks } from "./operators/chunks.js";
export { debounce } from "./operators/debounce.js";
export { idleTimeout } from "./operators/idle-timeout.js";
export { throttle } from "./operators/throttle.js";
export { timeWindows } from "./operators/time-windows.js";
export { totalTimeout } from "./operators/total-timeout.js";
export { windows } from "./operators/windows.js";
export { join } from "./concurrency/join.js";
export { scope } from "./concurrency/scope.js";
export { timeLimit } from "./concurrency/time-limit.js";
export { tryJoin } from "./concurrency/try-join.js";
export { Queue } from "./channels/queue.js";
export { repeat } from "./concurrency/repeat.js";
export { Semaphore } from "./concurrency/semaphore.js";
export { trackTasks } from "./concurrency/tasks.js";
export { Watch } from "./channels/watch.js";
export type { Backoff, BackoffOptions } from "./waits/backoff.js";
export type { Broadcast, BroadcastOptions, Recover, RecoverOptions, SubscribeOptions } from "./channels/broadcast.js";
export type { OneshotReceiver, OneshotSender } from "./channels/oneshot.js";
export type { ChannelOptions, Overflow, Receiver, Sender, Slot } from "./channels/channel.js";
export type { Deferred } from "./waits/deferred.js";
export type { StreamsErrorCode } from "./errors.js";
export type { LaneOptions, LanesOptions } from "./concurrency/lanes.js";
export type { PullSource } from "./sources/from-pull.js";
export type { RingEntry, RingOptions } from "./channels/ring.js";
export type { Permit, SemaphoreOptions } from "./concurrency/semaphore.js";
export type { TaskTracker } from "./concurrency/tasks.js";
export type { ChangedOptions, WatchOutcome } from "./channels/watch.js";
export type { FanOutPolicy, FanOutSink, SinkReport } from "./sinks/fan-out-lane.js";
export type { ToWritableOptions } from "./sinks/to-writable.js";
export type { Result } from "./result.js";
export type { Predicate } from "./operators/filter.js";
export type { Recovery } from "./operators/recover.js";
export type { RetryOptions } from "./operators/retry.js";
export type { Accumulate } from "./operators/scan.js";
export type { ReconnectingOptions } from "./sources/reconnecting.js";
export type { Loss, Open, OpenContext, ReopeningEvent, ReopeningOptions } from "./sources/reopening.js";
export type { Unfold, Unfolded } from "./sources/unfold.js";
export type { CallContext } from "./call-context.js";
export type { Operator } from "./pipe.js";
export type { Source } from "./sources/from.js";
export type { Produced } from "./stage.js";
export type { End, Pending, Polled, Pulled } from "./stream.js";
export type { Timers } from "./waits/timers.js";
export type { Waker } from "./waits/waiter.js";
export type { EventSourceTarget, FromEventsOptions } from "./sources/from-events.js";
export type { LinesOptions } from "./sources/lines.js";
export type { FileLine } from "./sources/lines-of-files.js";
export type { IdleTimeoutOptions } from "./operators/idle-timeout.js";
export type { BatchOptions } from "./operators/batch.js";
export type { DebounceOptions } from "./operators/debounce.js";
export type { ThrottleOptions } from "./operators/throttle.js";
export type { TimeWindow, TimeWindowsOptions } from "./operators/time-windows.js";
export type { WindowsOptions } from "./operators/windows.js";
export type { RepeatOptions } from "./concurrency/repeat.js";
export type { Joined, Task, Tasks } from "./concurrency/join.js";
export type { Scope, ScopeOptions } from "./concurrency/scope.js";
export type { TryJoined } from "./concurrency/try-join.js";
export type { Selected } from "./concurrency/select.js";
export type { AdaptiveBuffer, AdaptiveBufferOptions } from "./operators/adaptive-buffer.js";
export type { Call } from "./operators/buffered.js";
export type { ItemOf, Merge, MergedSource, MergeOptions } from "./operators/merge.js";
