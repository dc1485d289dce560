/** Checks every message of consumers' calls against the model, and sends consumers' requests. */

import { inspect } from "node:util";
import { MillraceError, type Window } from "../../../../src/core/index.js";
import type { ConsumeMessage, ConsumerRequest } from "../../../../src/engine/index.js";
import type { Consumer, History, Node } from "../history.js";
import { handed, taken } from "../model/deliveries.js";
import { fenced, left } from "../model/departures.js";
import { nameOf } from "../model/facts.js";
import { say } from "../model/verdicts-said.js";
import { told } from "../model/verdicts-told.js";
import { granted } from "../model/windows.js";
import { openCall } from "../simulation/call.js";
import { recordsIn } from "./records-in.js";

export const at = (offset: number) => ({ firstOffset: offset, nextOffset: offset + 1 });

export function openConsumer(history: History, node: Node, window: Window, how: "eager" | "silent" | "manual"): void {
  const { sharing, name } = history.options;
  if (sharing === "exclusive") fenced(history.model);
  const model = history.model.addConsumer(node.model, window, how);
  history.note(`${nameOf(model)} joins, ${how}, ${JSON.stringify(window)}`);
  if (sharing === "exclusive") history.lossMs = history.nowMs;
  const call = openCall(
    node.real,
    { subscription: name, consumer: `c${model.id}`, window },
    {
      handed: (message) => onHanded(history, consumer, message),
      taken: (message) => onTaken(history, consumer, message),
      ended: (error) => onEnded(history, consumer, error),
    },
  );
  const consumer: Consumer = { model, call };
  history.consumers.push(consumer);
}

/** Sends a request of a consumer, to the model and to its call. */
export function request(history: History, { model, call }: Consumer, said: Partial<ConsumerRequest>): void {
  const whole: ConsumerRequest = {
    window: undefined,
    acknowledge: [],
    acknowledgeThrough: undefined,
    reject: [],
    extend: [],
    park: [],
    release: [],
    ...said,
  };
  history.note(`${nameOf(model)} says ${JSON.stringify(said)}`);
  say(history.model, model, whole);
  call.say(whole);
}

function onHanded(history: History, { model }: Consumer, message: ConsumeMessage): void {
  if (model.state === "over") return;
  const { event } = message;
  if (event?.kind === "skipped") {
    history.note(`${nameOf(model)} skips ${event.firstOffset} to ${event.nextOffset}`);
    history.model.skipped.push(event);
  }
  if (event?.kind === "window-changed") granted(history.model, model, event.window);
  const records = recordsIn(message);
  history.deliveries += records.length;
  if (records.length === 0) return;
  const offsets = records.map(({ offset }) => offset).join(" ");
  history.note(`${nameOf(model)} is handed ${offsets} at attempt ${message.attempt}`);
  handed(history.model, model, records, message.attempt);
}

function onTaken(history: History, consumer: Consumer, message: ConsumeMessage): void {
  const { model } = consumer;
  if (model.state === "over") return;
  if (message.event?.kind === "started") model.session = message.event.session;
  if (message.confirmed !== undefined) {
    const verdicts = Object.entries(message.confirmed).filter(([, ranges]) => ranges.length > 0);
    const named = verdicts.map(([verdict, ranges]) => `${verdict} ${JSON.stringify(ranges)}`);
    history.note(`${nameOf(model)} is told ${named.join(", ")}`);
    told(history.model, model, message.confirmed);
  }
  const records = recordsIn(message);
  taken(history.model, model, records, message.attempt);
  if (!model.isEager || records.length === 0 || model.state !== "open") return;
  const acknowledge = records.map(({ offset }) => ({ range: at(offset), attempt: message.attempt }));
  request(history, consumer, { acknowledge });
}

function onEnded(history: History, { model }: Consumer, error: unknown): void {
  if (model.state === "over") return;
  const code = error instanceof MillraceError ? error.code : undefined;
  history.note(`${nameOf(model)} ends: ${error === undefined ? "well" : (code ?? inspect(error))}`);
  const isMeant = error === undefined ? model.state === "half-closed" : code === "consumer-fenced";
  left(history.model, model, false);
  if (!isMeant) history.fail("call-fails", `${nameOf(model)}: ${inspect(error)}`);
}
