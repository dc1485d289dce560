import { childSignal } from "./child-signal.js";
import { inShapeOf, type OutputOf, type Task, type Tasks } from "./join.js";

/** The value of each task, in the shape of the tasks. */
export type TryJoined<All extends Tasks> = { -readonly [Key in keyof All]: OutputOf<All[Key]> };

/**
 * Runs all tasks at once, and returns their values in the same shape: an array for an array, a record for a record. The
 * first failure aborts the signal of the others, with itself as the reason. When all have settled, `tryJoin` rejects with
 * it. An abort of the outer signal is such a failure too. It also waits for a task that ignores its signal, so no task
 * outlives it. If the signal has aborted before, no task begins. O(tasks).
 *
 * @example
 * const [text, length] = await tryJoin([async () => "stream", () => 6]);
 * console.log(text.toUpperCase(), length + 1); // STREAM 7
 */
export async function tryJoin<const All extends Tasks>(tasks: All, signal?: AbortSignal): Promise<TryJoined<All>> {
  const child = childSignal(signal);
  const run = async (task: Task<unknown>): Promise<unknown> => {
    if (child.signal.aborted) return undefined;
    try {
      return await task(child.signal);
    } catch (error) {
      // A signal keeps its first reason, so this keeps the first failure.
      child.abort(error);
      return undefined;
    }
  };
  try {
    const values = await inShapeOf(tasks, run);
    child.signal.throwIfAborted();
    return values as TryJoined<All>;
  } finally {
    child.unlink();
  }
}
