import { describe, expect, test } from "vitest";
import {
  type DeliveryEvent,
  type DeliveryState,
  step,
  type Verdict,
} from "../../../src/client/subscriptions/delivery-life.js";

const park: Verdict = { kind: "park", reason: "never" };
const events: DeliveryEvent[] = [
  { type: "handed" },
  { type: "said", verdict: park },
  { type: "finished" },
  { type: "failed", error: new Error("bad") },
  { type: "commit" },
  { type: "committed" },
  { type: "commit-failed", error: new Error("not written") },
  { type: "lost" },
];

const settled = (verdict: Verdict): DeliveryState => ({ phase: "settled", verdict });
const rejected = (reason: string) => settled({ kind: "reject", delayMs: undefined, reason });
const acknowledged = settled({ kind: "acknowledge" });
const uncommitted: DeliveryState = { phase: "uncommitted", error: new Error("not written") };
const lost: DeliveryState = { phase: "lost" };

/** For each phase, the events that change it. */
const rows: [DeliveryState, Partial<Record<DeliveryEvent["type"], DeliveryState>>][] = [
  [{ phase: "arrived" }, { handed: { phase: "in-hand" }, said: settled(park), lost }],
  [
    { phase: "in-hand" },
    {
      said: settled(park),
      finished: acknowledged,
      failed: rejected("bad"),
      commit: { phase: "committing" },
      lost,
    },
  ],
  [
    uncommitted,
    {
      said: settled(park),
      finished: rejected("not written"),
      failed: rejected("bad"),
      commit: { phase: "committing" },
      lost,
    },
  ],
  [
    { phase: "committing" },
    {
      finished: { phase: "left" },
      failed: { phase: "left" },
      committed: { phase: "committed" },
      "commit-failed": uncommitted,
      lost,
    },
  ],
  [{ phase: "left" }, { committed: { phase: "committed" }, "commit-failed": rejected("not written"), lost }],
  [settled(park), {}],
  [{ phase: "committed" }, {}],
  [lost, {}],
];

describe("step() of a delivery", () => {
  for (const [state, moves] of rows) {
    test(`from ${state.phase}, makes the transitions of the diagram, and no others`, () => {
      for (const event of events)
        expect([event.type, step(state, event)]).toEqual([event.type, moves[event.type] ?? state]);
    });
  }
});
