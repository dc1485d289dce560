import { describe, expect, test } from "vitest";
import { defaultDeliveryPolicy, type Sharing } from "../../../../src/core/index.js";
import { ReadDemand } from "../../../../src/engine/consume/group/read-demand.js";

interface Standing {
  readonly sharing?: Sharing;
  readonly hasRoom?: boolean;
  readonly windowRecords?: number;
  readonly ready?: number;
  readonly redelivered?: number;
  readonly isPaused?: boolean;
  readonly isHeld?: boolean;
  readonly isBehind?: boolean;
  readonly isBacklogFull?: boolean;
  /** The group's memory budget. */
  readonly aheadBytes?: number;
}

/** A record takes a byte. */
function demandOf(standing: Standing = {}): ReadDemand {
  const { sharing = "shared", hasRoom = true, windowRecords = 100, ready = 0, redelivered = 0 } = standing;
  const { isPaused = false, isHeld = true, isBehind = false, isBacklogFull = false, aheadBytes = 1000 } = standing;
  return new ReadDemand({
    sharing,
    limits: { claimRecords: 500 },
    ledger: { isHeld },
    settings: { policy: defaultDeliveryPolicy, isPaused },
    consumers: { hasRoom, windowRecords },
    ready: { count: ready, redeliveryCount: redelivered, bytes: ready },
    redelivery: { isBacklogFull },
    writer: { isBehind },
    ahead: { mayRead: (bytes) => bytes === 0 || bytes < aheadBytes },
  });
}

describe("ReadDemand", () => {
  test("records are as many as fit into the windows, within bounds", () => {
    expect(demandOf().records).toBe(100);
    expect(demandOf({ windowRecords: 1 }).records).toBe(16);
    expect(demandOf({ windowRecords: 5000 }).records).toBe(500);
  });

  test("records follow the deliveries of the last second", () => {
    const demand = demandOf();
    demand.tick(1000);
    demand.handed(600);
    expect(demand.records).toBe(300);
    demand.tick(1900);
    expect(demand.records).toBe(300);
    demand.tick(2000);
    expect(demand.records).toBe(300);
    demand.tick(3000);
    expect(demand.records).toBe(100);
  });

  const wanted: readonly [what: string, Standing, boolean][] = [
    ["while less is ready than windows take", { ready: 99 }, true],
    ["not when as much is ready", { ready: 100 }, false],
    ["in KEYED however much is ready", { sharing: "keyed", ready: 100 }, true],
    ["in EXCLUSIVE beside what is redelivered", { sharing: "exclusive", ready: 100, redelivered: 50 }, true],
    ["not while no consumer has room", { hasRoom: false }, false],
    ["not while paused", { isPaused: true }, false],
    ["not while the hold is uncertain", { isHeld: false }, false],
    ["not while the writer is behind", { isBehind: true }, false],
    ["not while too many wait for redelivery", { isBacklogFull: true }, false],
    ["not beyond its share of memory", { ready: 50, aheadBytes: 50 }, false],
    ["beyond it where all that is ready is redelivered", { ready: 50, redelivered: 50, aheadBytes: 50 }, true],
  ];
  test.each(wanted)("a page is wanted %s", (_what, standing, isWanted) => {
    expect(demandOf(standing).isWanted).toBe(isWanted);
  });

  test("a page is wanted while consumers have full windows, except for KEYED", () => {
    const [shared, keyed] = [demandOf({ hasRoom: false }), demandOf({ hasRoom: false, sharing: "keyed" })];
    for (const demand of [shared, keyed]) demand.handed(1);
    expect([shared.isWanted, keyed.isWanted]).toEqual([true, false]);
  });
});
