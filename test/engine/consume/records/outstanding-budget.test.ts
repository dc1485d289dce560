import { describe, expect, test } from "vitest";
import { Consumer } from "../../../../src/engine/consume/handing-out/consumer.js";
import {
  createOutstandingBudget,
  type OutstandingBudget,
} from "../../../../src/engine/consume/records/outstanding-budget.js";
import { yieldToEventLoop } from "../../../../src/streams/index.js";
import { systemClock } from "../../../../src/telemetry/index.js";

const bytes = 1_000_000;

function join(budget: OutstandingBudget, id: number, records: number): Consumer {
  const identity = { id, name: "", peer: "", node: "" };
  const consumer = new Consumer(identity, { records, bytes }, { clock: systemClock, budget });
  budget.join(consumer);
  return consumer;
}

/** The windows that a consumer received. */
function toldTo(consumer: Consumer): number[] {
  const told: number[] = [];
  for (let event = consumer.takeEvent(); event !== undefined; event = consumer.takeEvent()) {
    if (event.kind === "window-changed") told.push(event.window.records);
  }
  return told;
}

function ask(budget: OutstandingBudget, consumer: Consumer, records: number): number[] {
  consumer.askedWindow = { records, bytes };
  budget.ask(consumer);
  return toldTo(consumer);
}

describe("createOutstandingBudget()", () => {
  test("grants windows as requested while little is used, and reduces large ones while much is used", async () => {
    const budget = createOutstandingBudget({ outstandingNodeRecords: 1000 });
    const [small, large, larger] = [join(budget, 1, 100), join(budget, 2, 900), join(budget, 3, 5000)];
    expect([small, large, larger].map(({ window }) => window.records)).toEqual([100, 900, 5000]);
    budget.count(501);
    await yieldToEventLoop();
    expect([small, large, larger].map(toldTo)).toEqual([[], [450], [450]]);
    const late = join(budget, 4, 5000);
    expect(late.window.records).toBe(450);
    await yieldToEventLoop();
    expect([small, large, larger, late].map(toldTo)).toEqual([[], [300], [300], [300]]);
    budget.count(-252);
    await yieldToEventLoop();
    expect([small, large, larger, late].map(toldTo)).toEqual([[], [900], [5000], [5000]]);
  });

  test("answers each requested window, even if the granted one stays the same", async () => {
    const budget = createOutstandingBudget({ outstandingNodeRecords: 1000 });
    const consumer = join(budget, 1, 5000);
    budget.count(501);
    await yieldToEventLoop();
    expect(toldTo(consumer)).toEqual([1000]);
    expect(ask(budget, consumer, 6000)).toEqual([1000]);
    expect(ask(budget, consumer, 10)).toEqual([10]);
    expect(ask(budget, consumer, 10)).toEqual([10]);
    expect(ask(budget, consumer, 0)).toEqual([0]);
  });

  test("leaves each consumer a few records when it is exhausted", () => {
    const budget = createOutstandingBudget({ outstandingNodeRecords: 1000 });
    const consumer = join(budget, 1, 5000);
    expect(budget.roomFor(consumer)).toBe(1000);
    budget.count(1000);
    expect(budget.roomFor(consumer)).toBe(16);
  });
});
