import { describe, expect, test } from "vitest";
import { defaultLimits, type Sharing } from "../../../../src/core/index.js";
import { Consumer } from "../../../../src/engine/consume/handing-out/consumer.js";
import { ConsumerSet } from "../../../../src/engine/consume/handing-out/consumer-set.js";
import { fairShare, isOutdone, keySharers } from "../../../../src/engine/consume/handing-out/fair-share.js";
import type { ReadyRecords } from "../../../../src/engine/consume/handing-out/ready-records.js";
import { createOutstandingBudget } from "../../../../src/engine/consume/records/outstanding-budget.js";
import { createSimulatedClock } from "../../../support/simulated-clock.js";

const parts = { clock: createSimulatedClock(), budget: createOutstandingBudget(defaultLimits) };
let ids = 0;

function consumerOf(records: number, change: (consumer: Consumer) => void = () => undefined): Consumer {
  const consumer = new Consumer({ id: ++ids, name: "", peer: "", node: "" }, { records, bytes: 1000 }, parts);
  change(consumer);
  return consumer;
}

function setOf(...consumers: readonly Consumer[]): ConsumerSet {
  const set = new ConsumerSet();
  for (const consumer of consumers) set.add(consumer);
  return set;
}

const silent = (consumer: Consumer): void => consumer.wasLate(1000);
const sending = (consumer: Consumer): void => consumer.sending();
const draining = (consumer: Consumer): void => void (consumer.isDraining = true);

describe("fairShare()", () => {
  /** The share of the first of these consumers. */
  const shareOf = (
    consumers: readonly Consumer[],
    { count = 30, redeliveryCount = 0, sharing = "shared" as Sharing } = {},
  ): number => {
    const ready = { count, redeliveryCount } as ReadyRecords;
    return fairShare(consumers[0] as Consumer, { sharing, ready, consumers: setOf(...consumers) });
  };

  test("divides ready records by the room in windows, rounded up", () => {
    expect(shareOf([consumerOf(20), consumerOf(40)])).toBe(10);
    expect(shareOf([consumerOf(10), consumerOf(10), consumerOf(10)], { count: 31 })).toBe(11);
    expect(shareOf([consumerOf(20), consumerOf(0)])).toBe(30);
  });

  test("leaves out consumers whose transport has not taken their last message, except the asking one", () => {
    expect(shareOf([consumerOf(20), consumerOf(40, sending)])).toBe(30);
    expect(shareOf([consumerOf(20, sending), consumerOf(40)])).toBe(10);
  });

  test("sets no bound for a single consumer, by keys, and while redelivered records are ready", () => {
    const two = [consumerOf(20), consumerOf(40)];
    expect(shareOf([consumerOf(20)])).toBe(Number.POSITIVE_INFINITY);
    expect(shareOf(two, { sharing: "keyed" })).toBe(Number.POSITIVE_INFINITY);
    expect(shareOf(two, { redeliveryCount: 1 })).toBe(Number.POSITIVE_INFINITY);
    expect(shareOf(two, { count: 0 })).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("isOutdone()", () => {
  const isFirstOutdone = (sharing: Sharing, ...consumers: readonly Consumer[]): boolean =>
    isOutdone(consumers[0] as Consumer, { sharing, ready: {} as ReadyRecords, consumers: setOf(...consumers) });

  test("is true of a silent consumer while another one answers and has room", () => {
    expect(isFirstOutdone("shared", consumerOf(1, silent), consumerOf(1))).toBe(true);
    expect(isFirstOutdone("shared", consumerOf(1, silent), consumerOf(0))).toBe(false);
    expect(isFirstOutdone("shared", consumerOf(1, silent), consumerOf(1, silent))).toBe(false);
    expect(isFirstOutdone("shared", consumerOf(1), consumerOf(1))).toBe(false);
    expect(isFirstOutdone("keyed", consumerOf(1, silent), consumerOf(1))).toBe(false);
  });
});

describe("keySharers()", () => {
  test("are the consumers that answer, with an open window", () => {
    const [one, other] = [consumerOf(1), consumerOf(1)];
    expect(keySharers(setOf(one, consumerOf(0), consumerOf(1, silent), other, consumerOf(1, draining)))).toEqual([
      one,
      other,
    ]);
  });

  test("are all with an open window where none of them answers", () => {
    const late = consumerOf(1, silent);
    expect(keySharers(setOf(consumerOf(0), late))).toEqual([late]);
  });
});
