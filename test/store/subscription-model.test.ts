import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RangeSet } from "../../src/core/index.js";
import { bucketOffsets } from "../../src/store/postgres/claims/retry-buckets.js";
import type { SettleOutcome, Store, StoredSubscription } from "../../src/store/index.js";
import { createTestDatabase, databaseKinds, type TestDatabase } from "../support/database.js";
import { waitingRecords } from "../support/waiting-records.js";
import {
  allWritten,
  createdSubscription,
  openedSession,
  range,
  settleOn,
  takeAll,
  topicOf,
} from "./subscription-writes.js";

/** Where the subscriptions begin: their records are on both sides of a bucket's border. */
const first = bucketOffsets - 6;
const records = first + 60;

/** A claim in the model. Ids of claims and sessions come from the store. */
interface ModelClaim {
  readonly claimId: number;
  readonly todo: RangeSet;
  /** Its first offset; actions count from here. */
  readonly first: number;
  readonly isRedriven: boolean;
  holder: number | undefined;
}

/** A record with this number of deliveries, and its reasons for failure since it was last parked. */
interface Waiting {
  readonly deliveries: number;
  readonly reasons: readonly string[];
}

interface Model {
  readonly store: Store;
  readonly subscription: StoredSubscription;
  /** Of two nodes. */
  readonly sessions: number[];
  readonly claims: ModelClaim[];
  readonly waiting: Map<number, Waiting>;
  /** With their reasons. */
  readonly parked: Map<number, readonly string[]>;
  /** The offset from which nobody has taken anything yet. */
  readonly rest: { from: number };
}

/** A node that acts on a claim. */
interface Turn extends Model {
  readonly session: number;
  readonly claim: ModelClaim;
  readonly offset: number;
  readonly count: number;
  /** The node holds the claim, and the claim is not empty. */
  readonly isHeld: boolean;
  /** The expected answer of `settle` for `count` records from `offset` on. */
  readonly outcomeOf: (count: number) => SettleOutcome;
}

/** Each action changes the store and the model, and checks the store's answer. */
const actions = {
  async cut({ store, subscription, session, count, rest, claims }: Turn) {
    const { subscriptionId, generation } = subscription;
    const request = { subscriptionId, session, generation, count, fromOffset: 0, untilOffset: records };
    const block = await store.claimBlock(request);
    const next = Math.min(records, rest.from + count);
    expect(block?.todo).toEqual(next === rest.from ? undefined : [range(rest.from, next)]);
    if (block === undefined) return;
    const todo = new RangeSet(block.todo);
    claims.push({ claimId: block.claimId, todo, first: rest.from, isRedriven: false, holder: session });
    rest.from = next;
  },

  async settle({ store, subscription, session, claim, offset, count, isHeld, outcomeOf, waiting }: Turn) {
    const settled = [{ claimId: claim.claimId, ranges: [range(offset, offset + count)] }];
    const forgotten = [...waiting.keys()].filter((at) => at >= offset && at < offset + count);
    const settledRetries = [{ claimId: claim.claimId, ranges: forgotten.map((at) => range(at)) }];
    // Some settlements are folded, some are not; an empty claim is deleted.
    const folds = (offset + count) % 3 === 0 || claim.todo.count <= count;
    const written = await settleOn(store, subscription.subscriptionId, session, { settled, folds, settledRetries });
    expect(written.lostClaims).toEqual(outcomeOf(0).lostClaims);
    if (!isHeld) return;
    for (const at of forgotten) if (claim.todo.has(at)) waiting.delete(at);
    claim.todo.delete(offset, offset + count);
  },

  async retry({ store, subscription, session, claim, offset, count, outcomeOf, isHeld, waiting }: Turn) {
    const retries = Array.from({ length: count }, (_, index) => {
      const before = waiting.get(offset + index);
      const deliveries = (before?.deliveries ?? 0) + 1;
      const facts = { deliveries, failures: 1, delayMs: 0, lane: laneAt(offset + index), reason: `bad ${deliveries}` };
      return { claimId: claim.claimId, ...range(offset + index), ...facts };
    });
    expect(await settleOn(store, subscription.subscriptionId, session, { retries })).toEqual(outcomeOf(count));
    for (const { firstOffset, deliveries, reason } of retries) {
      if (!isHeld || !claim.todo.has(firstOffset)) continue;
      const reasons = [...(waiting.get(firstOffset)?.reasons ?? []), reason];
      waiting.set(firstOffset, { deliveries, reasons });
    }
  },

  async park({ store, subscription, session, claim, offset, outcomeOf, isHeld, waiting, parked: known }: Turn) {
    const parked = [{ claimId: claim.claimId, offset, deliveries: 1, slot: 0, lane: laneAt(offset), reason: "bad" }];
    expect(await settleOn(store, subscription.subscriptionId, session, { parked })).toEqual(outcomeOf(1));
    if (!isHeld || !claim.todo.has(offset)) return;
    known.set(offset, [...(waiting.get(offset)?.reasons ?? []), "bad"]);
    waiting.delete(offset);
    claim.todo.delete(offset, offset + 1);
  },

  async commit({ store, subscription, session, claims, offset, waiting }: Turn) {
    const { subscriptionId } = subscription;
    const holding = claims.find((claim) => claim.holder === session && claim.todo.has(offset));
    const delivered = [{ offset, slot: 0, attempt: (waiting.get(offset)?.deliveries ?? 0) + 1 }];
    const outcome = await store.commit({ subscriptionId, session, records: delivered, topics: [] });
    expect(outcome).toEqual(holding ? { kind: "committed" } : { kind: "stale", offsets: [offset] });
    if (holding === undefined) return;
    waiting.delete(offset);
    holding.todo.delete(offset, offset + 1);
  },

  async release({ store, subscription, session, claim }: Turn) {
    await store.releaseClaims({ subscriptionId: subscription.subscriptionId, session, claimIds: [claim.claimId] });
    if (claim.holder === session) claim.holder = undefined;
  },

  async take({ store, subscription, session, claim }: Turn) {
    const { subscriptionId, generation } = subscription;
    const taken = await store.takeClaims({ subscriptionId, session, generation, claimIds: [claim.claimId] });
    const isFree = claim.holder === undefined && !claim.todo.isEmpty;
    expect(taken.map(({ todo }) => todo)).toEqual(isFree ? [[...claim.todo]] : []);
    if (isFree) claim.holder = session;
  },

  /** The node dies: its session is ended, and the next step uses a new one. */
  async die({ store, session, sessions, claims }: Turn) {
    await store.closeSession(session);
    for (const claim of claims) if (claim.holder === session) claim.holder = undefined;
    sessions[sessions.indexOf(session)] = await openedSession(store);
  },

  async redrive({ store, subscription, claims, parked, waiting }: Turn) {
    const { subscriptionId } = subscription;
    const [offset] = parked.keys();
    if (offset === undefined) return;
    const write = { subscriptionId, offsets: [offset], delayMs: 0, stepMicros: 0 };
    expect(await store.redriveParked(write)).toBe(1);
    expect(await store.redriveParked(write)).toBe(0);
    parked.delete(offset);
    waiting.set(offset, { deliveries: 1, reasons: [] });
    const sync = await store.syncSubscription(subscriptionId, { session: 0, consumers: 0, facts: "" });
    const claimId = sync?.claims.findLast(({ kind }) => kind === "redriven")?.claimId ?? 0;
    claims.push({ claimId, todo: new RangeSet([range(offset)]), first: offset, isRedriven: true, holder: undefined });
  },
};

/** Every third record has no key. */
const laneAt = (offset: number): number | undefined => (offset % 3 === 0 ? undefined : offset % 5);

const nobody: ModelClaim = { claimId: 0, todo: new RangeSet(), first: 0, isRedriven: false, holder: undefined };

const stepArbitrary = fc.record({
  action: fc.constantFrom(
    ...(Object.keys(actions) as (keyof typeof actions)[]),
    "cut",
    "settle",
    "take",
    "retry",
    "retry",
    "park",
  ),
  node: fc.nat({ max: 1 }),
  /** Which claim, and which offset of it. */
  claim: fc.nat({ max: 5 }),
  at: fc.nat({ max: 8 }),
  count: fc.integer({ min: 1, max: 12 }),
});

type Step = typeof stepArbitrary extends fc.Arbitrary<infer Each> ? Each : never;

function turnOf(model: Model, { node, claim: index, at, count }: Step): Turn {
  const session = model.sessions[node] as number;
  const own = model.claims.filter(({ holder, todo }) => holder === session && !todo.isEmpty);
  // Usually the node's own claim.
  const claims = index > 0 && own.length > 0 ? own : model.claims;
  const claim = claims[index % Math.max(1, claims.length)] ?? nobody;
  const offset = claim.first + at;
  const isHeld = claim.holder === session && !claim.todo.isEmpty;
  const outcomeOf = (length: number): SettleOutcome => ({
    ...allWritten,
    lostClaims: isHeld ? [] : [claim.claimId],
    settledElsewhere: isHeld ? [...claim.todo.missing(offset, offset + length)] : [],
  });
  return { ...model, session, claim, offset, count, isHeld, outcomeOf };
}

async function checkProgress({ store, subscription, claims, rest, waiting, parked }: Model): Promise<void> {
  const unsettled = new RangeSet([range(rest.from, records)]);
  let cursor = rest.from;
  for (const { todo, isRedriven } of claims) {
    for (const { firstOffset, nextOffset } of todo) unsettled.add(firstOffset, nextOffset);
    if (!isRedriven) cursor = Math.min(cursor, todo.first ?? cursor);
  }
  unsettled.delete(0, cursor);
  const counts = { unsettled: unsettled.count, retries: waiting.size, parked: parked.size };
  expect(await store.readProgress(subscription.subscriptionId)).toMatchObject({ cursor, ...counts });
}

/**
 * All sessions end, and a new one takes what is left: every unsettled offset, in one claim, with what was recorded of
 * it.
 */
async function checkLeft({ store, subscription, claims, sessions, waiting, parked }: Model): Promise<void> {
  const { subscriptionId } = subscription;
  for (const session of sessions) await store.closeSession(session);
  const heir = await openedSession(store);
  const taken = await takeAll(store, subscription, heir);
  await store.closeSession(heir);
  const left = claims.filter(({ todo }) => !todo.isEmpty).map(({ claimId, todo }) => ({ claimId, todo: [...todo] }));
  expect(taken.map(({ claimId, todo }) => ({ claimId, todo }))).toEqual(left.toSorted((a, b) => a.claimId - b.claimId));
  const claimIds = taken.map(({ claimId }) => claimId);
  const noted = await waitingRecords(store, subscriptionId, claimIds);
  // Without repeated or late writes, no row may be left over.
  const rows = await store.readRetries(subscriptionId, claimIds);
  expect(rows.reduce((sum, { ranges }) => sum + new RangeSet(ranges).count, 0)).toBe(waiting.size);
  expect(new Map(noted.map(({ offset, deliveries, lane }) => [offset, { deliveries, lane }]))).toEqual(
    new Map([...waiting].map(([offset, { deliveries }]) => [offset, { deliveries, lane: laneAt(offset) }])),
  );
  const found = await store.listParked({ subscriptionId, from: 0, until: Infinity, count: 100, bytes: 100_000 });
  expect(new Map(found.map(({ offset, reasons }) => [offset, reasons]))).toEqual(parked);
}

describe.each(databaseKinds)("Claims on %s, against a model", (kind) => {
  let database: TestDatabase;
  let store: Store;

  beforeAll(async () => {
    database = await createTestDatabase(kind);
    store = await database.openStore();
  });
  afterAll(() => database?.drop());

  test("whatever two nodes do, each offset is in one claim or settled, and its recorded attempts are known", async () => {
    const topicId = await topicOf(store, "model", records);
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(stepArbitrary, { minLength: 5, maxLength: 60, size: "max" }), async (steps) => {
        runs += 1;
        const model: Model = {
          store,
          subscription: await createdSubscription(store, `model-${runs}`, topicId, { fromOffset: first }),
          sessions: [await openedSession(store), await openedSession(store)],
          claims: [],
          waiting: new Map(),
          parked: new Map(),
          rest: { from: first },
        };
        for (const step of steps) await actions[step.action](turnOf(model, step));
        await checkProgress(model);
        await checkLeft(model);
      }),
      { numRuns: 40 },
    );
  });
});
