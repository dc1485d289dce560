/** The end of a history: new consumers acknowledge everything, until all is settled. */

import { openConsumer } from "./actions/calls.js";
import { setPaused } from "./actions/control.js";
import type { History, Node } from "./history.js";
import { checkEnd } from "./model/end-rules.js";

/** How long a history may take to end. */
const endMs = 60_000;
const stepMs = 1000;

export async function end(history: History): Promise<void> {
  history.note("the end begins");
  if (history.isPaused) await setPaused(history, 0, false);
  const wide = { records: 200, bytes: 1_000_000 };
  for (const [index, node] of history.alive.entries()) {
    if (history.options.sharing !== "exclusive" || index === 0) openConsumer(history, node, wide, "eager");
  }
  const { isDone, isUnsettled, progress } = await untilDone(history);
  // A transport that resumes learns what became of the messages that it did not take in time.
  for (const { model, call } of isDone ? history.open : []) {
    model.isStalled = false;
    call.unstall();
  }
  await history.pass(stepMs);
  history.throwFault();
  checkEnd(history.model, { isDone, isUnsettled, progress, parked: await parked(history), lossMs: history.lossMs });
  history.throwFault();
}

async function untilDone(history: History) {
  const { database, name } = history.options;
  const { subscriptionId } = (await database.store.findSubscription(name)) ?? { subscriptionId: 0 };
  for (let leftMs = endMs; ; leftMs -= stepMs) {
    await history.pass(stepMs);
    history.throwFault();
    const progress = await database.store.readProgress(subscriptionId);
    if (progress === undefined) throw new Error("The subscription is gone");
    const { unsettled, retries, cursor, head } = progress;
    const isDone = unsettled === 0 && retries === 0 && cursor >= head.nextOffset;
    if (!isDone && leftMs > 0) continue;
    const told = { ...progress, subscription: undefined, head: undefined, members: undefined };
    return { isDone, isUnsettled: unsettled > 0, progress: JSON.stringify(told) };
  }
}

async function parked(history: History): Promise<ReadonlySet<number>> {
  const { engine } = (history.alive[0] as Node).real.node;
  const page = { subscription: history.options.name, filter: undefined, from: 0, count: 1000 };
  const { records } = await history.until(engine.subscriptions.listParked(page));
  return new Set(records.map(({ offset }) => offset));
}
