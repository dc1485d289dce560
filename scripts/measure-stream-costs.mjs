// Measures the cost of an item for each way to do the same work, and writes the table of docs/streams.md:
//   make build && node scripts/measure-stream-costs.mjs [door]
// The ways take turns, so that other load on the machine affects all of them. The best round of each counts.
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const page = "docs/streams.md";
const door = pathToFileURL(resolve(process.argv[2] ?? "dist/streams/index.js")).href;
const { buffered, channel, collect, filter, fold, map, pipe, range } = await import(door);

const items = 200_000;
const chunkItems = 100;
const rounds = 5;
const roundMs = 100;
const add = (sum, n) => sum + n;
const half = (n) => n / 2;
const isWhole = (n) => Number.isInteger(n);
const next = (n) => n + 1;

/** The work: halve each number, keep the whole ones, add one; then sum. */
const expected = (() => {
  let sum = 0;
  for (let n = 0; n < items; n += 1) if (isWhole(half(n))) sum += next(half(n));
  return sum;
})();

const numbers = Array.from({ length: items }, (_, n) => n);
const chunked = Array.from({ length: items / chunkItems }, (_, at) =>
  numbers.slice(at * chunkItems, (at + 1) * chunkItems),
);

async function* asyncItems() {
  for (const n of numbers) yield n;
}

async function* asyncChunks() {
  for (const chunk of chunked) yield chunk;
}

async function* asyncMap(source, f) {
  for await (const item of source) yield f(item);
}

async function* asyncFilter(source, isKept) {
  for await (const item of source) if (isKept(item)) yield item;
}

const stages = (source) => pipe(source, map(half), filter(isWhole), map(next));

const ways = [
  {
    name: "a `for` loop over an array",
    run() {
      let sum = 0;
      for (const n of numbers) {
        const halved = half(n);
        if (isWhole(halved)) sum += next(halved);
      }
      return sum;
    },
  },
  {
    name: "`map`, `filter`, `map`, `reduce` of an array",
    run: () => numbers.map(half).filter(isWhole).map(next).reduce(add, 0),
  },
  {
    name: "three async generators, read with `for await`",
    async run() {
      let sum = 0;
      for await (const n of asyncMap(asyncFilter(asyncMap(asyncItems(), half), isWhole), next)) sum += n;
      return sum;
    },
  },
  {
    name: "our three stages, read with `fold`; the source is there at once",
    run: () => pipe(range(0, items), stages, fold(add, 0)),
  },
  {
    name: "our three stages, read with `for await`; the source is there at once",
    async run() {
      let sum = 0;
      for await (const n of stages(range(0, items))) sum += n;
      return sum;
    },
  },
  {
    name: "our three stages, read with `fold`; the source is an async generator",
    run: () => pipe(asyncItems(), stages, fold(add, 0)),
  },
  {
    name: `our \`map\`, with a loop inside; the async generator gives ${chunkItems} items at once`,
    run: () =>
      pipe(
        asyncChunks(),
        map((chunk) => {
          let sum = 0;
          for (const n of chunk) {
            const halved = half(n);
            if (isWhole(halved)) sum += next(halved);
          }
          return sum;
        }),
        fold(add, 0),
      ),
  },
  {
    name: "our three stages behind a channel of 1000",
    async run() {
      const { sender, receiver } = channel({ capacity: 1000 });
      const sending = (async () => {
        for (const n of numbers) await sender.send(n);
        sender.close();
      })();
      const sum = await pipe(receiver, stages, fold(add, 0));
      await sending;
      return sum;
    },
  },
  {
    name: "the first stage an async function in `buffered(8)`, where nothing waits",
    needs: buffered,
    run: () =>
      pipe(
        range(0, items),
        buffered(8, async (n) => half(n)),
        filter(isWhole),
        map(next),
        fold(add, 0),
      ),
  },
].filter((way) => !("needs" in way) || way.needs !== undefined);

const best = new Map(ways.map(({ name }) => [name, Infinity]));
for (let round = 0; round < rounds; round += 1) {
  for (const { name, run } of ways) {
    // So often that the code is compiled, and the clock's resolution does not matter.
    let runs = 0;
    const startedAt = performance.now();
    while (performance.now() - startedAt < roundMs) {
      const sum = await run();
      if (sum !== expected) throw new Error(`${name} gives ${sum} instead of ${expected}`);
      runs += 1;
    }
    const nsPerItem = ((performance.now() - startedAt) * 1e6) / (items * runs);
    best.set(name, Math.min(best.get(name), nsPerItem));
  }
}

// First: how long an array must be before a stream's start-up cost does not matter.
const startUs = await (async () => {
  const times = [];
  for (let at = 0; at < 2000; at += 1) {
    const startedAt = performance.now();
    await collect(stages([1, 2, 3]), { limit: 3 });
    times.push(performance.now() - startedAt);
  }
  return times.toSorted((a, b) => a - b)[times.length / 2] * 1000;
})();

const digits = (ns) => (ns < 10 ? ns.toFixed(1) : String(Math.round(ns)));
const rows = ways.map(({ name }) => `| ${name} | ${digits(best.get(name))} ns |`);
const table = [
  "| the same work | cost of an item |",
  "| --- | --- |",
  ...rows,
  `| a whole pipeline of three stages for an array of 3 | ${startUs.toFixed(1)} µs in all |`,
  "",
  `Written by \`node scripts/measure-stream-costs.mjs\` with Node ${process.versions.node}: ${items} items, the best of ${rounds} rounds.`,
].join("\n");
const text = readFileSync(page, "utf8");
const marked = /<!-- costs -->[\s\S]*<!-- \/costs -->/;
if (!marked.test(text)) throw new Error(`Cannot write the costs: ${page} has no markers`);
writeFileSync(
  page,
  text.replace(marked, () => `<!-- costs -->\n\n${table}\n\n<!-- /costs -->`),
);
console.log(table);
