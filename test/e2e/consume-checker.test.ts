import { describe, expect, test } from "vitest";
import { ConsumeHistory, type HistoryEvent, type HistoryOptions, type Verdict } from "./consume-checker.js";

const keys = ["a", "b", "a", "b", "a", ""];

const started = (call: string): HistoryEvent => ({ kind: "started", call });
/** Read at once: see `play`. */
const handed = (call: string, offset: number, attempt = 1, message = 1): HistoryEvent => {
  return { kind: "handed", call, message, offset, attempt, key: keys[offset] ?? "", text: `${offset}`, sinceMs: -1 };
};
const acknowledge = (call: string, offset: number): HistoryEvent => ({ kind: "acknowledge", call, offset });
const reject = (call: string, offset: number): HistoryEvent => ({ kind: "reject", call, offset });
const release = (call: string, offset: number): HistoryEvent => ({ kind: "release", call, offset });
const told = (call: string, offset: number, verdict: Verdict = "acknowledged"): HistoryEvent => {
  return { kind: "confirmed", call, offset, verdict };
};
const done = (call: string, offset: number, attempt = 1): HistoryEvent[] => {
  return [handed(call, offset, attempt), acknowledge(call, offset), told(call, offset)];
};
const left = (call: string, how: "asked" | "lost" | "fenced" = "lost"): HistoryEvent => ({ kind: "left", call, how });
const wait = (ms: number) => ms;
const killed: HistoryEvent = { kind: "disrupted", what: "server killed" };

type Sharing = HistoryOptions["sharing"];
type Step = HistoryEvent | number;

/** Each step takes a millisecond; a number adds as many more. */
function play(sharing: Sharing, steps: readonly Step[]): ConsumeHistory {
  const history = new ConsumeHistory({ sharing, keys, holdMs: 1000, isOneNode: true });
  let atMs = 0;
  for (const step of steps) {
    if (typeof step === "number") atMs += step;
    else if (step.kind === "handed" && step.sinceMs === -1) history.take({ ...step, sinceMs: atMs + 1 }, ++atMs);
    else history.take(step, ++atMs);
  }
  return history;
}

const broken: readonly (readonly [what: string, sharing: Sharing, steps: readonly Step[], text: RegExp])[] = [
  [
    "a record that is delivered after its confirmation",
    "shared",
    [...done("x", 1), killed, handed("y", 1)],
    /it had been confirmed to x/,
  ],
  [
    "a record whose acknowledgement is confirmed to two",
    "shared",
    [handed("x", 1), wait(1000), handed("y", 1, 2), told("x", 1), told("y", 1)],
    /confirmed to y, and to x before/,
  ],
  ["a confirmation of what was never handed", "shared", [told("x", 1)], /never handed/],
  ["a record that two have at once", "shared", [handed("x", 1), wait(990), handed("y", 1, 2)], /x has it/],
  [
    "a record that two have at once, since one extended its deadline",
    "shared",
    [handed("x", 1), wait(900), { kind: "extend", call: "x", offset: 1, byMs: 500 }, wait(300), handed("y", 1, 2)],
    /x has it/,
  ],
  ["a record that one has twice", "shared", [handed("x", 1), handed("x", 1, 2)], /x has it/],
  [
    "attempts that do not count up",
    "shared",
    [handed("x", 1), reject("x", 1), handed("x", 1)],
    /attempt 1 had been before/,
  ],
  [
    "a second delivery of the attempt that was released",
    "shared",
    [handed("x", 1), release("x", 1), handed("y", 1), wait(1000), handed("x", 1)],
    /attempt 1 had been before/,
  ],
  [
    "an attempt before the one that was released",
    "shared",
    [handed("x", 1, 2), release("x", 1), handed("y", 1)],
    /attempt 2 had been before/,
  ],
  ["another record's bytes", "shared", [{ ...handed("x", 1), text: "2" } as HistoryEvent], /came as b: 2/],
  ["somebody fenced where all share", "shared", [started("x"), left("x", "fenced")], /x was fenced/],
  ["a key's later record while the first waits", "keyed", [handed("x", 2)], /0 \(key "a"\)[^]*was not acknowledged/],
  [
    "a key's later record while the first one is rejected",
    "keyed",
    [handed("x", 0), reject("x", 0), handed("x", 2)],
    /was not acknowledged/,
  ],
  [
    "a key's later record while the first one is redelivered",
    "keyed",
    [handed("x", 0), acknowledge("x", 0), killed, handed("y", 0), handed("y", 2)],
    /was not acknowledged/,
  ],
  [
    "a key's earlier record after a later one, without a reason",
    "keyed",
    [handed("x", 0), acknowledge("x", 0), handed("x", 2), acknowledge("x", 2), handed("x", 0, 2)],
    /2 of its key had been handed before/,
  ],
  [
    "a key with two consumers at once",
    "keyed",
    [handed("x", 0), acknowledge("x", 0), handed("x", 2), killed, handed("y", 0)],
    /x has 2 of its key/,
  ],
  [
    "a key that moves while no consumer comes or leaves",
    "keyed",
    [started("x"), started("y"), wait(2000), ...done("x", 0), handed("y", 2)],
    /its key belongs to x/,
  ],
  [
    "an older consumer that gets more after a newer one",
    "exclusive",
    [handed("x", 0), handed("y", 1), handed("x", 2)],
    /y had taken over from it/,
  ],
  [
    "records out of order",
    "exclusive",
    [handed("x", 1), handed("x", 0)],
    /1 had been handed before, at a first attempt/,
  ],
  [
    "a second message of a node after it was stopped",
    "shared",
    [
      handed("x", 1),
      handed("x", 2),
      { kind: "frozen", calls: ["x"] },
      ...done("y", 1),
      ...done("y", 2),
      handed("x", 1, 2, 2),
      handed("x", 2, 2, 3),
    ],
    /2 was handed to x, but it had been confirmed to y/,
  ],
  [
    "a message of a node after it noticed that it was stopped",
    "shared",
    [{ kind: "frozen", calls: ["x"] }, ...done("y", 1), { kind: "recovered", calls: ["x"] }, handed("x", 1, 2)],
    /it had been confirmed to y/,
  ],
];

const kept: readonly (readonly [what: string, sharing: Sharing, steps: readonly Step[]])[] = [
  ["a record that is redelivered when its hold is over", "shared", [handed("x", 1), wait(1000), ...done("y", 1, 2)]],
  ["a record that is redelivered when its consumer left", "shared", [handed("x", 1), left("x"), ...done("y", 1, 2)]],
  ["the attempt that was released", "shared", [handed("x", 1), release("x", 1), ...done("y", 1)]],
  [
    "a released record after later ones",
    "exclusive",
    [handed("x", 0), handed("x", 1), release("x", 0), ...done("x", 0)],
  ],
  ["an acknowledgement that was lost with the server", "shared", [handed("x", 1), acknowledge("x", 1), killed]],
  [
    "a key that restarts after a kill",
    "keyed",
    [handed("x", 0), acknowledge("x", 0), handed("x", 2), left("x"), killed, ...done("y", 0), ...done("y", 2)],
  ],
  ["keys beside each other", "keyed", [handed("x", 0), handed("y", 1), handed("x", 5)]],
  ["a key that moves when a consumer comes", "keyed", [...done("x", 0), started("y"), ...done("y", 2)]],
  [
    "a newer consumer that begins with what the older one has",
    "exclusive",
    [handed("x", 0), handed("x", 1), handed("y", 0, 2), handed("y", 1, 2), left("x", "fenced")],
  ],
  [
    "two that took over from each other while the client slept",
    "exclusive",
    [handed("x", 0), handed("y", 1), { ...handed("x", 0, 2), sinceMs: 1 } as HistoryEvent, handed("y", 2)],
  ],
  [
    "two that began while the client slept",
    "exclusive",
    [handed("x", 0), wait(100), { ...handed("y", 0), sinceMs: 1 } as HistoryEvent, handed("x", 1), left("y", "fenced")],
  ],
  [
    "two that had a record one after the other while the client slept",
    "shared",
    [{ ...handed("x", 1), sinceMs: -1000 } as HistoryEvent, ...done("y", 1, 2)],
  ],
  [
    "the one message that was on its way while the node was stopped",
    "shared",
    [
      handed("x", 1),
      { kind: "frozen", calls: ["x"] },
      ...done("y", 1),
      ...done("y", 2),
      handed("x", 1, 2, 7),
      handed("x", 2, 1, 7),
    ],
  ],
];

describe("ConsumeHistory", () => {
  test.each(broken)("take refuses %s", (_, sharing, steps, text) => {
    play(sharing, steps.slice(0, -1));
    expect(() => play(sharing, steps)).toThrow(text);
  });

  test.each(kept)("take takes %s", (_, sharing, steps) => {
    play(sharing, steps);
  });

  test("end names a record that nobody acknowledged, and one whose acknowledgement was lost", () => {
    const all = [0, 1, 2, 3, 4, 5].flatMap((offset) => done("x", offset));
    play("shared", all).end();
    expect(() => play("shared", all.slice(3)).end()).toThrow(/Record 0 was not acknowledged in the end/);
    const lost = [handed("x", 0), acknowledge("x", 0), killed, handed("y", 0), ...all.slice(3)];
    const history = play("shared", lost);
    expect(history.acknowledged).toBe(5);
    expect(history.unsettled(9)).toEqual([expect.stringMatching(/^0 \(key "a"\)/)]);
    expect(() => history.end()).toThrow(/Record 0 was not acknowledged/);
  });
});
