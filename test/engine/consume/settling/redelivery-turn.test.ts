import { describe, expect, test } from "vitest";
import { defaultDeliveryPolicy } from "../../../../src/core/index.js";
import {
  redeliverInTurn,
  type RedeliveryTurnParts,
  redeliveryWaitMs,
} from "../../../../src/engine/consume/settling/redelivery-turn.js";

interface Standing {
  readonly isHeld?: boolean;
  readonly isPaused?: boolean;
  readonly isFetching?: boolean;
  readonly isStuck?: boolean;
  readonly hasRoom?: boolean;
  /** Redelivered records in memory, out of the allowed ones. */
  readonly ready?: number;
  readonly expectedOffset?: number;
  readonly meanFrameBytes?: number;
}

/** What is fetched at 100 ms, and after how long something is. */
function turnOf(standing: Standing): readonly [string, number] {
  const { isHeld = true, isPaused = false, isFetching = false, isStuck = false, hasRoom = true } = standing;
  const { ready = 0, expectedOffset = Number.POSITIVE_INFINITY, meanFrameBytes = 100 } = standing;
  let brought = "nothing";
  const parts: RedeliveryTurnParts = {
    topic: { meanFrameBytes },
    limits: { consumeAheadBytes: 1_000_000 },
    ledger: { isHeld },
    settings: { policy: defaultDeliveryPolicy, isPaused },
    consumers: { hasRoom },
    ready: { redeliveryCount: ready },
    redelivery: {
      isFetching,
      expectedOffset,
      nextMs: 130,
      redeliver: (_nowMs, records) => (brought = `${records} due`),
      redeliverFirst: () => (brought = "the first"),
    },
    writer: { isStuck },
  };
  redeliverInTurn(parts, 100);
  return [brought, redeliveryWaitMs(parts, 100)];
}

const never = Number.POSITIVE_INFINITY;

describe("redeliverInTurn() and redeliveryWaitMs()", () => {
  const turns: readonly [what: string, Standing, string, number][] = [
    ["bring all that are due, as there is room", { ready: 100 }, "400 due", 30],
    ["bring fewer where records are large", { meanFrameBytes: 100_000, ready: 1 }, "9 due", 30],
    ["bring one at least, however large", { meanFrameBytes: 10_000_000 }, "1 due", 30],
    ["bring the one that others wait for where there is no room", { ready: 500, expectedOffset: 7 }, "the first", 0],
    ["bring nothing where there is no room and none waits", { ready: 500 }, "nothing", never],
    [
      "bring nothing that no consumer has room for",
      { ready: 500, expectedOffset: 7, hasRoom: false },
      "nothing",
      never,
    ],
    ["wait for a writer that is stuck", { ready: 500, expectedOffset: 7, isStuck: true }, "nothing", never],
    ["have one fetch at a time", { isFetching: true }, "nothing", never],
    ["rest while paused", { isPaused: true }, "nothing", never],
    ["rest while the hold is uncertain", { isHeld: false }, "nothing", never],
  ];
  test.each(turns)("%s", (_what, standing, brought, waitMs) => {
    expect(turnOf(standing)).toEqual([brought, waitMs]);
  });
});
