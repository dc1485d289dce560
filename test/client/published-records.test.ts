import { expect, test } from "vitest";
import { Publication } from "../../src/client/publication.js";
import { PublishedRecords } from "../../src/client/published-records.js";
import { BatchOutcome } from "../../src/client/outgoing-batch.js";

/** A batch with this many records; the last one was just added. */
function grown(outcome: BatchOutcome, records: number): BatchOutcome {
  outcome.records = records;
  return outcome;
}

test("PublishedRecords, counts only its own records of a shared batch", async () => {
  const told: number[] = [];
  const published = new PublishedRecords((records) => told.push(records));
  const one = new BatchOutcome();
  // Records 0 and 2 belong to somebody else.
  published.add(grown(one, 2));
  published.add(grown(one, 4));
  const other = new BatchOutcome();
  published.add(grown(other, 1));
  one.acknowledge({ offset: 10, epoch: 1, isRepeated: false });
  other.acknowledge({ offset: 20, epoch: 1, isRepeated: false });
  expect(await published.totals()).toEqual({ records: 3, firstOffset: 11, nextOffset: 21 });
  expect(told).toEqual([2, 3]);
});

test("PublishedRecords, rejects with what its listener throws, without an unhandled rejection before", async () => {
  const published = new PublishedRecords(() => {
    throw new Error("listener");
  });
  for (const offset of [0, 1]) {
    const outcome = grown(new BatchOutcome(), 1);
    published.add(outcome);
    outcome.acknowledge({ offset, epoch: 1, isRepeated: false });
  }
  await new Promise(setImmediate);
  await expect(published.totals()).rejects.toThrow("listener");
});

test("Publication, resolves for its record, whether awaited before or after the acknowledgement", async () => {
  const outcome = grown(new BatchOutcome(), 3);
  const before = new Publication(outcome, 1).then(({ offset }) => offset);
  outcome.acknowledge({ offset: 7, epoch: 2, isRepeated: true });
  expect(await before).toBe(8);
  const after: Promise<unknown> = new Publication(outcome, 2);
  expect(await after).toEqual({ offset: 9, epoch: 2, isRepeated: true });
  let isOver = false;
  await new Publication(outcome, 0).finally(() => (isOver = true));
  expect(isOver).toBe(true);
  expect(await Promise.all([new Publication(outcome, 0), new Publication(outcome, 1)])).toHaveLength(2);
});

test("Publication, of a failed batch rejects where it is awaited, and is never an unhandled rejection", async () => {
  const outcome = grown(new BatchOutcome(), 2);
  const waiting = new Publication(outcome, 0).catch((error: unknown) => error);
  const unheard = new Publication(outcome, 1);
  outcome.fail(new Error("refused"));
  expect(await waiting).toEqual(new Error("refused"));
  await new Promise(setImmediate);
  await expect(unheard).rejects.toThrow("refused");
});
