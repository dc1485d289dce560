import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Direction, type Page, type ProducerState } from "../../src/core/index.js";
import type { Store } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { createdTopic, frameOf, headOf, writeAfter } from "./topic-writes.js";

/** Some frames fit into a block; a large frame is a block alone. */
const blockBytes = 100;
const producerWindow = 3;
/** A page of this size is made of whole blocks. */
const largePage = 65_536;

/** A topic as an array: the meaning of invariants 1 and 5 for a store. */
interface Model {
  readonly frames: Buffer[];
  earliest: number;
  readonly producers: Map<string, ProducerState>;
}

type Batches = readonly { readonly id: string; readonly isNewGeneration: boolean }[];

type Step =
  | { readonly do: "append"; readonly sizes: readonly number[]; readonly isLocked: boolean; readonly batches: Batches }
  | { readonly do: "producers" }
  | { readonly do: "trim"; readonly before: number }
  | { readonly do: "sweep"; readonly count: number }
  | { readonly do: "merge"; readonly blocks: number; readonly bytes: number }
  | { readonly do: "frames"; readonly offsets: readonly number[] }
  | {
      readonly do: "read";
      readonly direction: "forward" | "backward";
      readonly from: number;
      readonly records: number;
      readonly bytes: number;
      readonly reach: number | undefined;
      readonly knowsBytes: boolean;
    };

const offset = fc.nat({ max: 40 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      sizes: fc.array(fc.oneof(fc.integer({ min: 4, max: 40 }), fc.constant(9000)), { minLength: 1, maxLength: 8 }),
      isLocked: fc.boolean(),
      batches: fc.array(
        fc.record({
          id: fc.constantFrom("a", "b"),
          isNewGeneration: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
        }),
        { maxLength: 4 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: "producers" as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("trim" as const), before: offset }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("sweep" as const), count: fc.integer({ min: 1, max: 9 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("merge" as const),
      blocks: fc.integer({ min: 1, max: 12 }),
      bytes: fc.constantFrom(1, 10_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("frames" as const), offsets: fc.array(offset, { maxLength: 9 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      direction: fc.constantFrom("forward" as const, "backward" as const),
      from: offset,
      records: fc.integer({ min: 1, max: 12 }),
      bytes: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(20_000), fc.constant(largePage)),
      reach: fc.option(fc.nat({ max: 9 }), { nil: undefined }),
      knowsBytes: fc.boolean(),
    }),
  },
);

/** A large page may end before a block that does not fit, but not while it has much room. */
function expectFront(page: Page | undefined, whole: Page, direction: Direction): void {
  if (page === undefined) throw new Error(`There is no page of ${whole.first} to ${whole.next}`);
  const isAll = page.first === whole.first && page.next === whole.next;
  expect(isAll || page.frames.length > largePage - 9100).toBe(true);
  expect(direction === "forward" ? page.first : page.next).toBe(direction === "forward" ? whole.first : whole.next);
  expect(Buffer.from(whole.frames.subarray(0, page.frames.length))).toEqual(Buffer.from(page.frames));
}

const sum = (frames: readonly Buffer[]) => frames.reduce((bytes, frame) => bytes + frame.length, 0);

/** The expected page: the longest run from `from` within every bound, but at least one record. */
function pageOf(model: Model, read: Extract<Step, { do: "read" }>): Page | undefined {
  const isForward = read.direction === "forward";
  const offsets: number[] = [];
  for (let at = isForward ? read.from : read.from - 1; ; at += isForward ? 1 : -1) {
    if (at < model.earliest || at >= model.frames.length || offsets.length === read.records) break;
    if (read.reach !== undefined && offsets.length === read.reach) break;
    const bytes = sum([...offsets, at].map((each) => model.frames[each] as Buffer));
    if (offsets.length > 0 && bytes > read.bytes) break;
    offsets.push(at);
  }
  if (offsets.length === 0) return undefined;
  const first = Math.min(...offsets);
  const next = Math.max(...offsets) + 1;
  const frames = Buffer.concat(offsets.map((each) => model.frames[each] as Buffer));
  return { first, next, endBytes: sum(model.frames.slice(0, next)), frames, hasRoom: true };
}

/**
 * Each step of a producer is one batch at the commit's first record; a commit may have batches of several producers.
 */
function moveProducers(model: Model, batches: Batches): ReadonlyMap<string, ProducerState> {
  const moved = new Map<string, ProducerState>();
  const firstOffset = model.frames.length;
  for (const { id, isNewGeneration } of batches) {
    const known = model.producers.get(id);
    const isSame = known !== undefined && !isNewGeneration;
    const state = {
      id,
      generation: isSame ? known.generation : (known?.generation ?? 0) + 1,
      nextSequence: isSame ? known.nextSequence + 1 : 1,
      recent: [...(isSame ? known.recent : []), { firstOffset, nextOffset: firstOffset + 1 }].slice(-producerWindow),
    };
    model.producers.set(id, state);
    moved.set(id, state);
  }
  return moved;
}

async function take(store: Store, topicId: number, model: Model, step: Step): Promise<void> {
  switch (step.do) {
    case "append": {
      const frames = step.sizes.map((size) => frameOf("", size));
      const moved = moveProducers(model, step.batches);
      const producers = [...moved.values()];
      if (step.isLocked)
        await store.appendLocked({
          topicId,
          producerIds: [],
          decide: (view) => writeAfter(view.head, frames, { producers }),
        });
      else await store.append(writeAfter(await headOf(store, topicId), frames, { producers }));
      model.frames.push(...frames);
      return;
    }
    case "producers": {
      const view = await store.readView(topicId, ["a", "b", "c"]);
      const known = view?.producers.map((each) => ({ ...each, recent: each.recent.slice(-producerWindow) }));
      const expected = [...model.producers.values()];
      expect(new Map(known?.map((each) => [each.id, each]))).toEqual(new Map(expected.map((each) => [each.id, each])));
      return;
    }
    case "trim":
      await store.trimTopic(topicId, step.before);
      model.earliest = Math.max(model.earliest, Math.min(step.before, model.frames.length));
      return;
    case "sweep":
      expect(await store.deleteTrimmed({ topicId, count: step.count })).toBeLessThanOrEqual(step.count);
      return;
    case "merge":
      await store.mergeBlocks({ topicId, blocks: step.blocks, bytes: step.bytes });
      return;
    case "frames": {
      const kept = [...new Set(step.offsets)].filter((each) => each >= model.earliest && each < model.frames.length);
      expect(await store.readFrames(topicId, step.offsets)).toEqual(
        kept.sort((one, other) => one - other).map((each) => ({ offset: each, frame: model.frames[each] })),
      );
      return;
    }
    case "read": {
      const { direction, from, records, bytes, reach, knowsBytes } = step;
      const until = reach === undefined ? undefined : from + (direction === "forward" ? reach : -reach);
      const read = await store.readPage({
        topicId,
        direction,
        from,
        records,
        bytes,
        ...(until !== undefined && until >= 0 && { until }),
        ...(knowsBytes && { fromBytes: sum(model.frames.slice(0, from)) }),
      });
      const reached = until !== undefined && until < 0 ? { ...step, reach: undefined } : step;
      const expected = pageOf(model, reached);
      if (expected === undefined) expect(read?.page).toBeUndefined();
      else if (bytes < largePage) expect(read?.page).toMatchObject(expected);
      else expectFront(read?.page, expected, direction);
      expect(read?.head).toMatchObject({
        earliestOffset: model.earliest,
        nextOffset: model.frames.length,
        earliestBytes: sum(model.frames.slice(0, model.earliest)),
        nextBytes: sum(model.frames),
      });
      return;
    }
    default:
      return step satisfies never;
  }
}

describe.each(databaseKinds)("Store on %s", (kind) => {
  let database: TestDatabase;
  let store: Store;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore({ blockBytes, producerWindow });
  });
  afterAll(() => database?.drop());

  test("any sequence of appends, trims, merges and reads agrees with an array", async () => {
    let topics = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const { head } = await createdTopic(store, `model/${topics++}`);
        const model: Model = { frames: [], earliest: 0, producers: new Map() };
        for (const each of steps) await take(store, head.topicId, model, each);
      }),
      { numRuns: 60 },
    );
  });
});
