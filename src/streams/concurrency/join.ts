import type { Result } from "../result.js";
import { childSignal } from "./child-signal.js";

/** Something to run, which ends early when the signal aborts. */
export type Task<T> = (signal: AbortSignal) => T | PromiseLike<T>;

/** An array of tasks, or a record of them. */
export type Tasks = readonly Task<unknown>[] | { readonly [name: string]: Task<unknown> };

/** The result of each task, in the shape of the tasks. */
export type Joined<All extends Tasks> = { -readonly [Key in keyof All]: Result<OutputOf<All[Key]>> };

/** What a task resolves to. */
export type OutputOf<One> = One extends (signal: AbortSignal) => infer Output ? Awaited<Output> : never;

/**
 * Runs all tasks at once, waits for all, and returns their results in the same shape: an array for an array, a record for a
 * record. Never rejects: a failure is that task's result, and the others continue. An abort of the signal is passed on to
 * the tasks; `join` still waits for them, so none outlives it. If the signal has aborted before, no task begins, and each
 * result is its reason. O(tasks).
 *
 * @example
 * const { name, age } = await join({
 *   name: async () => "Ada",
 *   age: async () => Promise.reject(new Error("nobody knows")),
 * });
 * console.log(name, age.ok); // { ok: true, value: 'Ada' } false
 */
export async function join<const All extends Tasks>(tasks: All, signal?: AbortSignal): Promise<Joined<All>> {
  const child = childSignal(signal);
  try {
    return (await inShapeOf(tasks, (task) => resultOf(task, child.signal))) as Joined<All>;
  } finally {
    child.unlink();
  }
}

async function resultOf(task: Task<unknown>, signal: AbortSignal): Promise<Result<unknown>> {
  if (signal.aborted) return { ok: false, error: signal.reason };
  try {
    return { ok: true, value: await task(signal) };
  } catch (error) {
    return { ok: false, error };
  }
}

/** Runs all tasks, and returns their results in the shape of the tasks. `run` must not reject. */
export async function inShapeOf(tasks: Tasks, run: (task: Task<unknown>) => Promise<unknown>): Promise<unknown> {
  if (Array.isArray(tasks)) return Promise.all((tasks as readonly Task<unknown>[]).map(run));
  const entries = Object.entries(tasks).map(async ([name, task]) => [name, await run(task)] as const);
  return Object.fromEntries(await Promise.all(entries));
}
