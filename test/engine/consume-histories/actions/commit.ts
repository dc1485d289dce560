/** Commits records of a consumer, through its own node or another. */

import { MillraceError } from "../../../../src/core/index.js";
import type { History } from "../history.js";
import { committed, committing, expectCommit } from "../model/commits.js";
import { nameOf } from "../model/facts.js";
import { at } from "./calls.js";

export async function commit(history: History, who: number, on: number, which: number, more: number): Promise<void> {
  const consumer = history.pick(who);
  if (consumer === undefined || consumer.model.session === 0) return;
  const { model } = consumer;
  const holds = [...model.holds.values()].filter(({ deadlineMs }) => deadlineMs !== Infinity);
  const from = Math.floor(which * holds.length);
  const deliveries = holds
    .slice(from, from + 1 + Math.floor(more * 3))
    .map(({ record, attempt }) => ({ offset: record.offset, attempt: attempt + ((more * 41) % 1 < 0.1 ? 1 : 0) }));
  if (deliveries.length === 0) return;
  const node = history.node(on);
  const expect = expectCommit(history.model, model, deliveries);
  const what = `${nameOf(model)} commits ${JSON.stringify(deliveries)} on ${node.model.name}`;
  const offsets = deliveries.map(({ offset }) => offset);
  const takeBack = committing(history.model, model, offsets);
  let outcome = "done";
  try {
    await history.until(
      node.real.node.engine.commit({
        subscription: history.options.name,
        session: model.session,
        acknowledge: deliveries.map(({ offset, attempt }) => ({ range: at(offset), attempt })),
        append: [],
      }),
    );
    committed(history.model, model, offsets);
  } catch (error) {
    if (!(error instanceof MillraceError) || error.code !== "stale-delivery") throw error;
    outcome = "stale";
    takeBack();
  }
  history.note(`${what}: ${outcome}`);
  const isTrimmed = history.model.trims.some(({ before }) => offsets.some((offset) => offset < before));
  // Another node learns a record's key only from the topic, and needs the key to find the claim.
  const isUnknown = isTrimmed && history.options.sharing === "keyed" && node.model !== model.node;
  if (expect === "done" && outcome === "stale" && !isUnknown) {
    history.fail(isTrimmed ? "commit-trimmed-refused" : "commit-refused", what);
  }
  if (expect === "stale" && outcome === "done") history.fail("commit-stale", what);
}
