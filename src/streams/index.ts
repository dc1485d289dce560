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
export { abortable, createYielder, sleep, yieldToEventLoop } from "./abort.js";
export { backoff } from "./backoff.js";
export { channel } from "./channel.js";
export { deferred } from "./deferred.js";
export { ChannelClosedError, ChannelFullError, LaneFullError, SemaphoreFullError } from "./errors.js";
export { Lanes } from "./lanes.js";
export { pullIterator } from "./pull-iterator.js";
export { Ring } from "./ring.js";
export { Semaphore } from "./semaphore.js";
export { trackTasks } from "./tasks.js";
export { Watch } from "./watch.js";
export type { Backoff, BackoffOptions } from "./backoff.js";
export type { ChannelOptions, Receiver, Sender } from "./channel.js";
export type { Deferred } from "./deferred.js";
export type { StreamsErrorCode } from "./errors.js";
export type { LaneOptions, LanesOptions } from "./lanes.js";
export type { PullSource } from "./pull-iterator.js";
export type { RingEntry, RingOptions } from "./ring.js";
export type { Permit, SemaphoreOptions } from "./semaphore.js";
export type { TaskTracker } from "./tasks.js";
export type { ChangedOptions, WatchOutcome } from "./watch.js";
