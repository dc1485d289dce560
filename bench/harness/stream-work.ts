/** The works of the streams row with their expected results, and how a library's process runs one. */

import type { Subject } from "./subject.js";

export const workNames = [
  "pipeline",
  "generator",
  "merge",
  "merge-generators",
  "batch",
  "concurrent",
  "channel-1",
  "channel-8",
  "broadcast",
] as const;

export type WorkName = (typeof workNames)[number];

export const mergedSources = 8;
export const batchItems = 100;
export const callsAtOnce = 8;
export const producers = 8;
export const receivers = 100;
/** Of channels and broadcasts. */
export const capacity = 128;

/** What the sink of a work receives: each item once, in any order. */
export class Tally {
  count = 0;
  sum = 0;

  see(item: number): void {
    this.count += 1;
    this.sum += item;
  }

  seeAll(items: readonly number[]): void {
    for (const item of items) this.see(item);
  }
}

/** A library's way to do a work on the numbers from 0 up to `items`, or why it has none. */
export type Way =
  | ((items: number, tally: Tally) => unknown)
  | { readonly run: (items: number, tally: Tally) => unknown; readonly note: string; readonly isRanked?: boolean }
  | { readonly missing: string };

export type Ways = Readonly<Record<WorkName, Way>>;

/** The steps of "pipeline" and "generator": three of four items pass the filter, and the last of these is not taken. */
export const triple = (item: number): number => item * 3;
export const isWanted = (item: number): boolean => (item & 3) !== 0;
export const takenOf = (items: number): number => (items / 4) * 3 - 1;

export const identity = async (item: number): Promise<number> => item;

/** The source for libraries that have none of their own. */
export function* numbers(from: number, to: number): Generator<number, void, undefined> {
  for (let item = from; item < to; item += 1) yield item;
}

export async function* numbersLater(from: number, to: number): AsyncGenerator<number, void, undefined> {
  for (let item = from; item < to; item += 1) yield item;
}

/** The numbers up to `items` in `parts` consecutive pieces: [from, to). */
export function partsOf(items: number, parts: number): readonly (readonly [number, number])[] {
  const size = items / parts;
  return Array.from({ length: parts }, (_, part) => [part * size, (part + 1) * size] as const);
}

export interface StreamWorkConfig {
  readonly work: WorkName;
  readonly items: number;
  /** Whether to use the form that treats each item by itself, instead of the fastest. */
  readonly isPlain: boolean;
}

export interface StreamWorkInfo {
  /** Why nothing can be measured. */
  readonly missing?: string;
  readonly note?: string;
  /** Whether it may be compared: not if it does something else. */
  readonly isRanked: boolean;
}

/** The shortest duration of a round: the work is repeated until then. */
const roundMs = 300;

/** Makes a subject's `open`. A round returns the rate, in items a second. */
export async function openStreamWork(
  ways: Ways,
  { work, items }: StreamWorkConfig,
): Promise<Subject<void, number, StreamWorkInfo>> {
  const way = ways[work];
  const wanted = wantedOf(work, items);
  return {
    info: infoOf(way),
    async round() {
      if ("missing" in way) throw new Error(way.missing);
      const run = typeof way === "function" ? way : way.run;
      const startMs = performance.now();
      let done = 0;
      let tookMs = 0;
      for (; tookMs < roundMs; tookMs = performance.now() - startMs) {
        const tally = new Tally();
        await run(items, tally);
        check(tally, wanted);
        done += work === "broadcast" ? wanted.count : items;
      }
      return (done / tookMs) * 1000;
    },
    async close() {},
  };
}

function infoOf(way: Way): StreamWorkInfo {
  if (typeof way === "function") return { isRanked: true };
  if ("missing" in way) return { missing: way.missing, isRanked: false };
  return { note: way.note, isRanked: way.isRanked ?? true };
}

function wantedOf(work: WorkName, items: number): Tally {
  const tally = new Tally();
  if (work === "pipeline" || work === "generator") {
    for (let item = 0; tally.count < takenOf(items); item += 1) if (isWanted(triple(item))) tally.see(triple(item));
    return tally;
  }
  for (let item = 0; item < items; item += 1) tally.see(item);
  if (work === "broadcast") {
    tally.count *= receivers;
    tally.sum *= receivers;
  }
  return tally;
}

function check(seen: Tally, wanted: Tally): void {
  if (seen.count === wanted.count && seen.sum === wanted.sum) return;
  const text = ({ count, sum }: Tally) => `${count} items with the sum ${sum}`;
  throw new Error(`A wrong answer: ${text(seen)}, not ${text(wanted)}`);
}
