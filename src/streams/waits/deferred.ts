/** A promise with its `resolve` and `reject`. (`Promise.withResolvers` needs Node 22.) */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T | PromiseLike<T>) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Makes a promise that is settled from outside; only the first `resolve` or `reject` counts.
 *
 * @example
 * const answer = deferred<number>();
 * setTimeout(answer.resolve, 1, 42);
 * console.log(await answer.promise); // 42
 */
export function deferred<T>(): Deferred<T> {
  let resolve!: Deferred<T>["resolve"];
  let reject!: Deferred<T>["reject"];
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
