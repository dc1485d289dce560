import {
  batch,
  chunks,
  debounce,
  idleTimeout,
  scan,
  throttle,
  timeWindows,
  totalTimeout,
  windows,
} from "../../../src/streams/index.js";
import type { Source } from "../../../src/streams/sources/from.js";
import type { Stream } from "../../../src/streams/stream.js";
import { type ContractRow, type Items, one, same } from "./contract-row.js";

function chunksOf(items: Items, size: number, hasEnded: boolean): number[][] {
  const chunks: number[][] = [];
  for (let at = 0; at < items.length; at += size) chunks.push(items.slice(at, at + size));
  return hasEnded ? chunks : chunks.filter((chunk) => chunk.length === size);
}

function windowsOf(items: Items, size: number, every: number): number[][] {
  const windows: number[][] = [];
  for (let at = 0; at + size <= items.length; at += every) windows.push(items.slice(at, at + size));
  return windows;
}

const scanned = (items: Items): Items => items.map((_, index) => items.slice(0, index + 1).reduce((a, b) => a + b, 0));

const timeWindowsOf = (s: Source<number>, everyMs: number): Stream<unknown> => {
  const times = scan(s, (time: number, n) => time + n, 0);
  return timeWindows(times, { sizeMs: 10, everyMs, maxItems: 100, timeOf: (time) => time });
};

function timeWindowsModel(times: Items, everyMs: number, hasEnded: boolean): readonly unknown[] {
  const last = times.at(-1) ?? 0;
  const windows: { start: number; end: number; items: number[] }[] = [];
  for (let start = -everyMs; start <= last; start += everyMs) {
    const items = times.filter((time) => time >= start && time < start + 10);
    if (items.length > 0 && (hasEnded || last >= start + 10)) windows.push({ start, end: start + 10, items });
  }
  return windows;
}

/** Operators that group items, and those that measure time. */
export const groupingRows: readonly ContractRow[] = [
  {
    name: "chunks",
    open: (s) => chunks(s, 3),
    model: one((items, e) => chunksOf(items, 3, e)),
    failing: ([items = []], error) => ({ items: chunksOf(items, 3, true), error }),
    aheadMax: 0,
  },
  {
    name: "batch",
    open: (s) => batch(s, { maxItems: 3 }),
    model: one((items, e) => chunksOf(items, 3, e)),
    failing: ([items = []], error) => ({ items: chunksOf(items, 3, true), error }),
    aheadMax: 0,
  },
  {
    name: "batch, with time",
    open: (s) => batch(s, { maxItems: 3, maxWaitMs: 10_000 }),
    model: one((items, e) => chunksOf(items, 3, e)),
    failing: ([items = []], error) => ({ items: chunksOf(items, 3, true), error }),
    aheadMax: 3,
  },
  {
    name: "windows, tumbling",
    open: (s) => windows(s, { size: 3 }),
    model: one((items) => windowsOf(items, 3, 3)),
    aheadMax: 0,
  },
  {
    name: "windows, sliding",
    open: (s) => windows(s, { size: 3, every: 1 }),
    model: one((items) => windowsOf(items, 3, 1)),
    aheadMax: 0,
  },
  {
    name: "windows, with gaps",
    open: (s) => windows(s, { size: 2, every: 3 }),
    model: one((items) => windowsOf(items, 2, 3)),
    aheadMax: 0,
  },
  {
    name: "windows, also partial",
    open: (s) => windows(s, { size: 3, partial: true }),
    model: one((items, e) => chunksOf(items, 3, e)),
    failing: ([items = []], error) => ({ items: chunksOf(items, 3, true), error }),
    aheadMax: 0,
  },
  {
    name: "timeWindows, tumbling",
    open: (s) => timeWindowsOf(s, 10),
    model: one((items, e) => timeWindowsModel(scanned(items), 10, e)),
    failing: ([items = []], error) => ({ items: timeWindowsModel(scanned(items), 10, true), error }),
    aheadMax: 0,
  },
  {
    name: "timeWindows, sliding",
    open: (s) => timeWindowsOf(s, 5),
    model: one((items, e) => timeWindowsModel(scanned(items), 5, e)),
    failing: ([items = []], error) => ({ items: timeWindowsModel(scanned(items), 5, true), error }),
    aheadMax: 0,
  },
  {
    name: "debounce",
    open: (s) => debounce(s, { quietMs: 60_000 }),
    model: one((items, e) => (e ? items.slice(-1) : [])),
    failing: ([items = []], error) => ({ items: items.slice(-1), error }),
    aheadMax: Number.POSITIVE_INFINITY,
  },
  { name: "throttle", open: (s) => throttle(s, { items: 1e6, perMs: 1 }), model: same, aheadMax: 0 },
  { name: "idleTimeout", open: (s) => idleTimeout(s, 60_000), model: same, aheadMax: 0 },
  { name: "totalTimeout", open: (s) => totalTimeout(s, 60_000), model: same, aheadMax: 0 },
];
