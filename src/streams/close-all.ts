import type { Stream } from "./stream.js";

/** Closes all streams, even if one fails to close; then rejects with the first failure. `undefined`: there is no wait. */
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
