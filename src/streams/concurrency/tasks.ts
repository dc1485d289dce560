import { WaitQueue } from "../waits/wait-queue.js";

/** Background promises, which their owner can await together. */
export interface TaskTracker {
  /** How many tasks have not settled. */
  readonly size: number;
  /** Adds a promise. Its value is dropped; `onError` gets its error. */
  track(task: Promise<unknown>): void;
  /**
   * Resolves when no task is left, including those that were tracked meanwhile; at once when there is none. Rejects only
   * with the signal's reason, when it aborts, never with the error of a task.
   */
  settled(signal?: AbortSignal): Promise<void>;
}

/**
 * Makes a tracker of background promises. `onError` gets their errors; it must not throw.
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
