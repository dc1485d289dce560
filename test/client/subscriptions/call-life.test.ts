import { describe, expect, test } from "vitest";
import {
  mayEnd,
  maySend,
  type CallEvent,
  type CallState,
  step,
  termsOf,
} from "../../../src/client/subscriptions/call-life.js";

const terms = { session: 7, ackDeadlineMs: 1000, isAlone: false };
const events: CallEvent[] = [
  { type: "started", terms },
  { type: "stop" },
  { type: "no-more" },
  { type: "all-sent" },
  { type: "closed" },
  { type: "ended" },
];
const states: CallState[] = [
  { phase: "opening" },
  { phase: "running", terms },
  { phase: "stopping", terms },
  { phase: "finishing", terms },
  { phase: "half-closed", terms },
  { phase: "complete", terms },
  { phase: "over" },
];

/** For each phase, the events that change it. */
const moves: Record<CallState["phase"], Partial<Record<CallEvent["type"], CallState["phase"]>>> = {
  opening: { started: "running", stop: "stopping", closed: "complete", ended: "over" },
  running: { stop: "stopping", closed: "complete", ended: "over" },
  stopping: { "no-more": "finishing", closed: "complete", ended: "over" },
  finishing: { "all-sent": "half-closed", closed: "complete", ended: "over" },
  "half-closed": { closed: "complete", ended: "over" },
  complete: { ended: "over" },
  over: {},
};

describe("step() of a Consume call", () => {
  for (const state of states) {
    test(`from ${state.phase}, makes the transitions of the diagram, and no others`, () => {
      for (const event of events) {
        const after = step(state, event);
        expect([event.type, after.phase]).toEqual([event.type, moves[state.phase][event.type] ?? state.phase]);
        if (after.phase !== "over" && state.phase !== "opening") expect(termsOf(after)).toEqual(terms);
      }
    });
  }

  test("keeps the terms of a call that is stopped before it has started", () => {
    const stopping = step({ phase: "opening" }, { type: "stop" });
    expect(termsOf(stopping)).toEqual({ session: 0, ackDeadlineMs: Infinity, isAlone: false });
    expect(termsOf(step(stopping, { type: "started", terms }))).toEqual(terms);
  });

  test("lets a server end a call only in phases where no record can be lost", () => {
    const phases = states.map(({ phase }) => phase);
    expect(phases.filter((phase) => mayEnd[phase])).toEqual(["half-closed", "complete", "over"]);
    expect(phases.filter((phase) => !maySend[phase])).toEqual(["half-closed", "over"]);
  });
});
