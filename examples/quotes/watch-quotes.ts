/**
 * A watcher, at its own pace. What comes while it is busy goes into a map with one place for each symbol, so a newer
 * quote replaces the one that was not looked at yet: nothing else waits, however slow it is.
 *
 * A watcher that just does not read while it is busy gets fewer quotes too, as Millrace leaves out those that are not
 * the latest any more. But what is under way in the connection already comes first, and may be old by then.
 */

import type { MillraceClient } from "millrace";
import { forEach, sleep, tryJoin, Watch } from "millrace/streams";
import { type Quote, quoteOf, type Quotes } from "./quote.js";

/**
 * Shows what is there, and then, whenever it is ready and there is something, the newest quote of each symbol that has a
 * new one. Ends when the topic is closed and the last ones were shown.
 */
export async function watchQuotes(
  millrace: MillraceClient,
  topic: string,
  { busyMs, show }: { readonly busyMs: number; readonly show: (quotes: Quotes) => Promise<void> },
): Promise<void> {
  const unseen = new Map<string, Quote>();
  const arrived = new Watch<void>(undefined);

  async function read(signal: AbortSignal): Promise<void> {
    const quotes = millrace.state.watch(topic, {
      // No symbol is ever removed.
      withoutTombstones: true,
      // Also when there was nothing yet: then it is shown that there is nothing.
      onEvent: ({ type }) => {
        if (type === "snapshot-end") arrived.set();
      },
      signal,
    });
    await forEach(quotes.pages(), ({ records }) => {
      for (const record of records) unseen.set(record.key, quoteOf(record));
      arrived.set();
    });
    arrived.close();
  }

  async function look(signal: AbortSignal): Promise<void> {
    for (let version = 0; (await arrived.changed(version, { signal })) === "changed"; ) {
      ({ version } = arrived);
      const quotes = Object.fromEntries(unseen);
      unseen.clear();
      await show(quotes);
      if (busyMs > 0) await sleep(busyMs, signal);
    }
  }

  // If one fails, the other ends.
  await tryJoin({ read, look });
}
