/**
 * One follow of the topic, shared by all viewers through one ring. Positions in the ring are the topic's offsets, so a
 * viewer that reconnects names the offset that it wants, and what has left the ring is read from the topic. Millrace's
 * own `Follow` hands over from history to live in the same way.
 */

import type { MillraceClient } from "millrace";
import { broadcast, forEach, type Lagged, map, pipe, type Source, type Stream } from "millrace/streams";
import { type DashboardEvent, eventOf } from "./event.js";

export interface Viewers {
  /** The number of viewers. */
  readonly count: number;
  /** New events; a viewer that lags skips, and is informed how many. */
  watch(): Stream<DashboardEvent | Lagged>;
  /** All events from an offset on, without a gap, however old they are. */
  resume(offset: number): Stream<DashboardEvent>;
  /** Feeds the ring until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export async function createViewers(millrace: MillraceClient, topic: string, ringEvents: number): Promise<Viewers> {
  const { nextOffset } = await millrace.topics.get(topic);
  const ring = broadcast<DashboardEvent>({ capacity: ringEvents, start: nextOffset });

  const readAgain = (from: number, to: number, signal: AbortSignal): Source<DashboardEvent> =>
    map(millrace.read(topic, { start: { offset: from }, until: { offset: to }, signal }), eventOf);

  return {
    get count() {
      return ring.receivers;
    },
    watch: () => ring.subscribe(),
    resume: (offset) => ring.subscribe({ from: offset, recover: readAgain }),
    async run(signal) {
      await pipe(
        millrace.follow(topic, { start: { offset: nextOffset }, signal }),
        forEach((record) => void ring.send(eventOf(record))),
      );
    },
  };
}
