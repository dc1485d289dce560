/** A program that logs: it publishes an entry at intervals to a topic of its own. */

import type { MillraceClient } from "millrace";
import { forEach, interval, pipe, take } from "millrace/streams";
import { type LogEntry, levels, recordOf } from "./log-entry.js";

export interface LogSource {
  readonly name: string;
  readonly topic: string;
  readonly everyMs: number;
}

/**
 * Publishes until `entries` are published or the signal aborts. Then it closes the topic, so that followers get the
 * end.
 */
export async function publishLogs(
  millrace: MillraceClient,
  { name, topic, everyMs }: LogSource,
  { entries, stopped }: { readonly entries: number; readonly stopped: AbortSignal },
): Promise<number> {
  const publisher = millrace.publisher(topic);
  let published = 0;
  try {
    await pipe(
      interval(everyMs),
      take(entries),
      forEach(async () => {
        await publisher.publish(recordOf(entryNumber(published, name)));
        published += 1;
      }, stopped),
    );
  } catch (error) {
    if (!stopped.aborted) throw error;
  } finally {
    await publisher.close();
    await millrace.topics.close(topic);
  }
  return published;
}

/** Two of five entries are below WARNING. */
function entryNumber(number: number, source: string): LogEntry {
  const level = levels[number % levels.length] ?? "INFO";
  return {
    time: new Date(),
    level,
    source,
    message: `${source} says ${level} ${number}`,
    metadata: { number: `${number}` },
  };
}
