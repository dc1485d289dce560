/**
 * A watcher at its own pace. What arrives while it is busy goes into a map with one place for each symbol, so a newer
 * quote replaces one that was not shown yet: nothing else waits, however slow it is.
 *
 * A watcher that simply does not read while it is busy gets fewer quotes too, since Millrace leaves out those that are
 * no longer the latest. But quotes already in the connection are delivered first, and may be old by then.
 */

import type { MillraceClient } from "millrace";
import { forEach, sleep, tryJoin, Watch } from "millrace/streams";
import { type Quote, quoteOf, type Quotes } from "./quote.js";

/**
 * Shows the existing quotes. Then, whenever it is ready and there is something new, it shows the newest quote of each
 * changed symbol. Ends when the topic is closed and the last quotes were shown.
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
      // Even if there is nothing yet: then it shows that.
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
