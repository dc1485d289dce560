/**
 * What async iterators lack: channels, waits and limits that any program could use. No domain word, no I/O, no package.
 *
 * Every piece keeps one contract:
 *
 * - **pull-based**: nothing is produced before it is asked for, but for a buffer whose size was stated;
 * - **bounded**: no buffer or queue without a bound, and no bound that is infinite unless told;
 * - **cancellable**: an AbortSignal or `return()` reaches a parked wait at once, and `finally` blocks run once. Listeners
 *   and timers are gone when a wait settles. A signal is meant for one call: Node warns when more than ten waits share
 *   one (`events.setMaxListeners(0, signal)` allows it), and leaving it costs O(waits that share it);
 * - **errors once**: an error comes after the items before it; it is never lost, and never an unhandled rejection;
 * - **fused**: after the end, always the end;
 * - **single use**: what is iterated is iterated once, unless it says otherwise;
 * - **cooperative**: what could go on for ever without waiting gives the event loop its turn (`createYielder`).
 */
export { abortable, sleep } from "./waits/abort.js";
export { AbortRace } from "./waits/abort-race.js";
export { createYielder, yieldToEventLoop } from "./waits/turn.js";
export { pipe } from "./pipe.js";
export { from } from "./sources/from.js";
export { range } from "./sources/range.js";
export { filter } from "./operators/filter.js";
export { map } from "./operators/map.js";
export { take } from "./operators/take.js";
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
export { channel } from "./channels/channel.js";
export { deferred } from "./waits/deferred.js";
export {
  ChannelClosedError,
  ChannelFullError,
  LaneFullError,
  LimitExceededError,
  SemaphoreFullError,
  TooSlowError,
  WritableClosedError,
} from "./errors.js";
export { Lanes } from "./concurrency/lanes.js";
export { pullIterator } from "./sources/pull-iterator.js";
export { Ring } from "./channels/ring.js";
export { Semaphore } from "./concurrency/semaphore.js";
export { trackTasks } from "./concurrency/tasks.js";
export { Watch } from "./channels/watch.js";
export type { Backoff, BackoffOptions } from "./waits/backoff.js";
export type { ChannelOptions, Receiver, Sender } from "./channels/channel.js";
export type { Deferred } from "./waits/deferred.js";
export type { StreamsErrorCode } from "./errors.js";
export type { LaneOptions, LanesOptions } from "./concurrency/lanes.js";
export type { PullSource } from "./sources/pull-iterator.js";
export type { RingEntry, RingOptions } from "./channels/ring.js";
export type { Permit, SemaphoreOptions } from "./concurrency/semaphore.js";
export type { TaskTracker } from "./concurrency/tasks.js";
export type { ChangedOptions, WatchOutcome } from "./channels/watch.js";
export type { FanOutPolicy, FanOutSink, SinkReport } from "./sinks/fan-out-lane.js";
export type { ToWritableOptions } from "./sinks/to-writable.js";
export type { Result } from "./result.js";
