import { checkCount } from "../check-count.js";
import { ScopeClosedError, ScopeFullError, TimeoutError } from "../errors.js";
import { checkDelay } from "../waits/abort.js";
import { type ChildSignal, childSignal } from "./child-signal.js";
import type { Task } from "./join.js";

export interface ScopeOptions {
  /** The outer signal. Its abort aborts the scope. */
  readonly signal?: AbortSignal | undefined;
  /** How long body and children together may take; then the scope aborts with `TimeoutError`. */
  readonly deadlineMs?: number | undefined;
  /** How many children may run at once. Default 1000. */
  readonly maxChildren?: number | undefined;
}

/** The tasks of one body, which end with it. */
export interface Scope {
  /** Aborts when a child or the body fails, at the deadline, and with the outer signal. */
  readonly signal: AbortSignal;
  /**
   * Begins a child at once. Its promise need not be awaited: the scope waits for the child, and fails with it. Throws
   * `ScopeFullError` when `maxChildren` children are running, the reason of the abort once the scope is aborted, and
   * `ScopeClosedError` when it is over.
   */
  spawn<T>(task: Task<T>): Promise<T>;
}

/**
 * Runs `body` and the children that it spawns, which end together. Resolves to the body's value once all children have
 * settled, including those that children spawned. The first failure aborts `scope.signal` with itself as the reason: an
 * error of the body or a child, the deadline, or an abort of the outer signal. When all have settled, `scope` rejects with
 * it. It also waits for a child that ignores its signal, so no child outlives it. O(1) a child.
 *
 * @example
 * const total = await scope(async ({ spawn }) => {
 *   const left = spawn(() => fold(range(0, 4), (sum, n) => sum + n, 0));
 *   const right = spawn(() => fold(range(4, 8), (sum, n) => sum + n, 0));
 *   return (await left) + (await right);
 * });
 * console.log(total); // 28
 */
export async function scope<T>(
  body: (scope: Scope) => T | PromiseLike<T>,
  { signal, deadlineMs, maxChildren = 1000 }: ScopeOptions = {},
): Promise<T> {
  checkCount("set maxChildren to", maxChildren, 1);
  if (deadlineMs !== undefined) checkDelay(deadlineMs);
  signal?.throwIfAborted();
  const own = childSignal(signal);
  const timer =
    deadlineMs === undefined
      ? undefined
      : setTimeout(() => own.abort(new TimeoutError("the scope", deadlineMs)), deadlineMs);
  try {
    return await new RunningScope(own, maxChildren).run(body);
  } finally {
    clearTimeout(timer);
    own.unlink();
  }
}

class RunningScope implements Scope {
  readonly #own: ChildSignal;
  readonly #maxChildren: number;
  #running = 0;
  #isOver = false;
  /** Called when the last child has settled. */
  #onEmpty: (() => void) | undefined;

  constructor(own: ChildSignal, maxChildren: number) {
    this.#own = own;
    this.#maxChildren = maxChildren;
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  async run<T>(body: (scope: Scope) => T | PromiseLike<T>): Promise<T> {
    let value: T | undefined;
    try {
      value = await body(this);
    } catch (error) {
      this.#own.abort(error);
    }
    // A child may have spawned others before it settled.
    while (this.#running > 0) await this.#empty();
    this.#isOver = true;
    this.signal.throwIfAborted();
    return value as T;
  }

  // A field, so that a body may destructure it.
  readonly spawn = <T>(task: Task<T>): Promise<T> => {
    if (this.#isOver) throw new ScopeClosedError();
    this.signal.throwIfAborted();
    if (this.#running === this.#maxChildren) throw new ScopeFullError(this.#maxChildren);
    this.#running += 1;
    const child = this.#runChild(task);
    child.catch(() => undefined);
    return child;
  };

  async #runChild<T>(task: Task<T>): Promise<T> {
    try {
      return await task(this.signal);
    } catch (error) {
      this.#own.abort(error);
      throw error;
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#onEmpty?.();
    }
  }

  #empty(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve;
    });
  }
}
