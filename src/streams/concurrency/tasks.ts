import { WaitQueue } from "../waits/wait-queue.js";

/** Promises that nobody awaits one by one, so that their owner can await them all. */
export interface TaskTracker {
  /** How many have not settled. */
  readonly size: number;
  /** Takes a promise in. When it rejects, `onError` is told; its value is dropped. */
  track(task: Promise<unknown>): void;
  /**
   * Resolves when no task is left, those included that were tracked meanwhile; at once when there is none. Rejects with
   * the signal's reason when it aborts, and never because a task did.
   */
  settled(signal?: AbortSignal): Promise<void>;
}

/**
 * A tracker of background promises. `onError` gets what they reject with; it must not throw.
 *
 * @example
 * const tasks = trackTasks((error) => console.error(error));
 * tasks.track(sleep(1));
 * tasks.track(sleep(2));
 * await tasks.settled();
 * console.log(tasks.size); // 0
 */
export function trackTasks(onError: (error: unknown) => void): TaskTracker {
  const waiters = new WaitQueue<undefined, void>();
  let size = 0;
  const settle = () => {
    size -= 1;
    if (size === 0) waiters.admitAll();
  };
  return {
    get size() {
      return size;
    },
    track(task) {
      size += 1;
      task.then(settle, (error: unknown) => {
        settle();
        onError(error);
      });
    },
    async settled(signal) {
      signal?.throwIfAborted();
      while (size > 0) await waiters.wait(undefined, signal);
    },
  };
}
