/**
 * One feed of prices, many subscribers, each of whom gets the newest price whenever it is ready for one: a fast one sees
 * nearly all, a slow one few, nothing is queued for anybody, and all end with the last.
 *
 * Pieces: Watch, interval, take, forEach, fold, tryJoin.
 *
 *     make example NAME=quotes ARGS="--quotes 500"
 *
 * It prints, with other numbers each time:
 *
 *     fast     saw 493 of 500 quotes, at most 0 behind the newest, the last one number 500
 *     slow     saw 126 of 500 quotes, at most 0 behind the newest, the last one number 500
 *     slowest  saw 17 of 500 quotes, at most 0 behind the newest, the last one number 500
 */

import { parseArgs } from "node:util";
import { fold, forEach, interval, pipe, sleep, take, tryJoin, Watch } from "millrace/streams";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: { quotes: { type: "string", default: "500" }, json: { type: "boolean", default: false } },
});

const total = wholeNumber("quotes", values.quotes, 1);

interface Quote {
  readonly number: number;
  readonly price: number;
}

/** What a subscriber has seen. */
interface Seen {
  readonly quotes: number;
  /** By how many quotes the one that it got was behind the newest, at most. */
  readonly behind: number;
  readonly last: Quote;
}

const opening: Quote = { number: 0, price: 100 };
const newest = new Watch<Quote>(opening);

/** A price each millisecond, whoever listens. */
async function feed(signal: AbortSignal): Promise<void> {
  let { number, price } = opening;
  await pipe(
    interval(1),
    take(total),
    forEach(() => {
      number += 1;
      price += Math.sin(number);
      newest.set({ number, price });
    }, signal),
  );
  newest.close();
}

/** Takes the newest quote, is busy with it for a while, and takes the newest again. */
function subscribe(busyMs: number, signal: AbortSignal): Promise<Seen> {
  return fold(
    newest,
    async (seen: Seen, last) => {
      const behind = Math.max(seen.behind, newest.value.number - last.number);
      if (busyMs > 0) await sleep(busyMs, signal);
      return { quotes: seen.quotes + 1, behind, last };
    },
    { quotes: 0, behind: 0, last: opening },
    signal,
  );
}

// If one fails, all end: subscribers would wait for a feed that is gone.
const { feed: _, ...subscribers } = await tryJoin({
  feed,
  fast: (signal) => subscribe(0, signal),
  slow: (signal) => subscribe(5, signal),
  slowest: (signal) => subscribe(50, signal),
});
for (const [name, { quotes, behind, last }] of Object.entries(subscribers)) {
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ name, quotes, behind, last: last.number })}\n`
      : `${name.padEnd(8)} saw ${quotes} of ${total} quotes, at most ${behind} behind the newest, the last one number ${last.number}\n`,
  );
}
