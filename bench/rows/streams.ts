/** The streams toolkit beside its peers: the same work on the same items, each library in its own process. */

import { type Bench, inTurns } from "../harness/bench.js";
import { atLeast, type Line, type RowResult } from "../harness/result.js";
import { median, medianRatio } from "../harness/statistics.js";
import {
  batchItems,
  callsAtOnce,
  capacity,
  mergedSources,
  producers,
  receivers,
  type StreamWorkInfo,
  type WorkName,
} from "../harness/stream-work.js";
import { Stops } from "../harness/stops.js";
import { startSubject } from "../harness/subject.js";
import type * as streamsMillraceSubject from "../subjects/streams-millrace.js";

/** All of them have the same exports. */
type Library = typeof streamsMillraceSubject;

interface Contestant {
  readonly library: LibraryLine;
  readonly info: StreamWorkInfo;
  readonly rates: number[];
  readonly name: string;
  measure(): Promise<void>;
}

const ours = "millrace";

interface LibraryLine {
  readonly name: string;
  readonly module: string;
  readonly role: Line["role"];
  readonly note?: string;
  /** The works in whose tables it appears; default: all. */
  readonly works?: readonly WorkName[];
  readonly isPlain?: boolean;
}

const libraries: readonly LibraryLine[] = [
  { name: "Millrace", module: ours, role: "ours" },
  { name: "IxJS", module: "ix", role: "peer" },
  { name: "Effect", module: "effect", role: "peer" },
  { name: "streaming-iterables", module: "streaming-iterables", role: "peer" },
  { name: "Node's streams", module: "node", role: "peer" },
  {
    name: "Effect, item by item",
    module: "effect",
    role: "extra",
    note: "its range in chunks of 1; by default it has 4096, so an operator works on an array",
    works: ["pipeline", "merge", "batch"],
    isPlain: true,
  },
  {
    name: "Millrace, await send",
    module: ours,
    role: "extra",
    note: "each send is awaited",
    works: ["channel-1", "channel-8"],
    isPlain: true,
  },
  {
    name: "Effect, yield* offer",
    module: "effect",
    role: "extra",
    note: "each offer is an effect",
    works: ["channel-1", "channel-8"],
    isPlain: true,
  },
  { name: "RxJS", module: "rxjs", role: "extra", note: "synchronous push, not ranked" },
];

interface Work {
  readonly name: WorkName;
  readonly title: string;
  /** Its items, as a part of `STREAM_ITEMS`: each delivery to one of many receivers counts as an item too. */
  readonly part: number;
  readonly notes?: readonly string[];
}

/** Why a peer may be ahead. */
const arraysNote = `Effect's range makes arrays of 4096 numbers, and its operators are loops over arrays, merged array by array. Millrace makes each item when it is asked for, and looks for cancellation and the event loop's turn between items; the line "item by item" shows what Effect costs that way.`;

const channelNote =
  "Producers try first, and wait where there is no room: trySend then send, offerUnsafe then offer, write then drain.";

const works: readonly Work[] = [
  {
    name: "pipeline",
    title: "map, filter and take of a range",
    part: 1,
    notes: ["Each library's own range and cheapest sink; where it has no range, a sync generator.", arraysNote],
  },
  {
    name: "generator",
    title: "map, filter and take of an async generator, read by for await",
    part: 1,
    notes: ["RxJS cannot be read by for await: it passes items on by forEach."],
  },
  { name: "merge", title: `merge of ${mergedSources} ranges`, part: 1, notes: [arraysNote] },
  { name: "merge-generators", title: `merge of ${mergedSources} async generators`, part: 1 },
  { name: "batch", title: `a range in batches of ${batchItems}`, part: 1, notes: [arraysNote] },
  {
    name: "concurrent",
    title: `async identity, ${callsAtOnce} calls at once, results as they come`,
    part: 1,
  },
  {
    name: "channel-1",
    title: `a channel of ${capacity} items, 1 producer to 1 consumer`,
    part: 1,
    notes: [channelNote],
  },
  {
    name: "channel-8",
    title: `a channel of ${capacity} items, ${producers} producers to 1 consumer`,
    part: 1,
    notes: [channelNote],
  },
  {
    name: "broadcast",
    title: `broadcast of 1 producer to ${receivers} receivers over ${capacity} items`,
    part: 1 / 50,
    notes: ["Deliveries are counted."],
  },
];

export async function streams(bench: Bench): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const work of works) results.push(await measureWork(bench, work));
  return results;
}

async function measureWork(bench: Bench, work: Work): Promise<RowResult> {
  // A multiple of each work's parts.
  const items = Math.max(1, Math.round((bench.settings.streamItems * work.part) / 800)) * 800;
  // A new process for each work: after other work, V8 has optimised the shared code for more general types.
  const stops = new Stops();
  bench.stops.add(() => stops.run());
  const ofWork: Bench = { ...bench, stops, progress: (text) => bench.progress(`${work.name}: ${text}`) };
  try {
    const contestants: Contestant[] = [];
    for (const library of libraries) {
      if (library.works?.includes(work.name) === false) continue;
      contestants.push(await start(ofWork, { work: work.name, items }, library));
    }
    await inTurns(
      ofWork,
      contestants.filter(({ info }) => info.missing === undefined),
    );
    return resultOf(work, items, contestants);
  } finally {
    await stops.run();
  }
}

async function start(
  bench: Bench,
  config: { readonly work: WorkName; readonly items: number },
  library: LibraryLine,
): Promise<Contestant> {
  const module = `streams-${library.module}`;
  const options = library.role === "ours" ? { profileAs: `${module}-${config.work}` } : {};
  const subject = await startSubject<Library>(bench, module, { ...config, isPlain: library.isPlain ?? false }, options);
  const rates: number[] = [];
  if (subject.info.missing === undefined) await subject.round();
  return {
    library,
    name: library.name,
    info: subject.info,
    rates,
    async measure() {
      rates.push(await subject.round());
    },
  };
}

function resultOf(work: Work, items: number, contestants: readonly Contestant[]): RowResult {
  const [first] = contestants;
  if (first === undefined) throw new Error("Nothing was measured");
  const ranked = contestants.filter(({ library, info }) => library.role === "peer" && info.isRanked);
  const [best] = ranked.toSorted((a, b) => (median(b.rates) ?? 0) - (median(a.rates) ?? 0));
  const goals =
    best === undefined
      ? []
      : [atLeast(`Millrace ÷ the fastest peer, ${best.name}`, medianRatio(first.rates, best.rates), 1)];
  return {
    title: `streams: ${work.title}, ${items.toLocaleString("en")} items`,
    lines: contestants.map((each) => lineOf(each, first)),
    goals,
    notes: work.notes ?? [],
  };
}

function lineOf({ library, name, info, rates }: Contestant, first: Contestant): Line {
  const ratio = library.role === "ours" ? undefined : medianRatio(first.rates, rates);
  const texts = [
    ratio === undefined ? undefined : `Millrace ÷ this: ${ratio.toFixed(2)} ×`,
    library.role === "peer" && info.missing === undefined && !info.isRanked ? "not ranked" : undefined,
    library.note,
    info.missing ?? info.note,
  ];
  return { subject: name, role: library.role, values: rates, unit: "items/s", note: texts.filter(Boolean).join("; ") };
}
