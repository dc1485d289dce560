import type { Stream } from "./stream.js";

/** Closes all of them, also when one fails to; then rejects with the first failure. `undefined` when none has to be waited for. */
export function closeAll(streams: Iterable<Stream<unknown>>): Promise<void> | undefined {
  const closing: Promise<void>[] = [];
  for (const stream of streams) {
    try {
      const closed = stream.close();
      if (closed !== undefined) closing.push(closed);
    } catch (error) {
      closing.push(Promise.reject(error as Error));
    }
  }
  return closing.length === 0 ? undefined : settleAll(closing);
}

async function settleAll(closing: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(closing)) if (result.status === "rejected") throw result.reason;
}
