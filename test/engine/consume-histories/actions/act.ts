/** Runs the actions of a plan. */

import type { History } from "../history.js";
import type { Action } from "../plan.js";
import { append } from "./append.js";
import { commit } from "./commit.js";
import { cancel, halfClose, join, setWindow, stall } from "./consumers.js";
import { seek, setPaused, trim } from "./control.js";
import { killNode, startNode } from "./nodes.js";
import { say, sayLate } from "./verdicts.js";

export async function act(history: History, { kind, chance }: Action): Promise<void> {
  const [a, b, c, d] = chance as readonly [number, number, number, number];
  switch (kind) {
    case "append":
      return append(history, chance);
    case "advance":
      return advance(history, a < 0.4 ? 1 + b * 60 : a < 0.85 ? 100 + b * 1500 : 2000 + b * 6000);
    case "join":
      return join(history, a, b, c);
    case "say":
      return say(history, a, b, c, d);
    case "say-late":
      return sayLate(history, a, b, c, d);
    case "window":
      return setWindow(history, a, b, c);
    case "stall":
      return stall(history, a);
    case "cancel":
      return cancel(history, a);
    case "half-close":
      return halfClose(history, a);
    case "seek":
      return seek(history, a, b);
    case "pause":
      return setPaused(history, a, !history.isPaused);
    case "trim":
      return trim(history, a, b);
    case "commit":
      return commit(history, a, b, c, d);
    case "kill":
      return killNode(history, a);
    case "start":
      return startNode(history);
    default:
      kind satisfies never;
  }
}

function advance(history: History, ms: number): Promise<void> {
  history.note(`advance ${Math.ceil(ms)}`);
  return history.pass(ms);
}
