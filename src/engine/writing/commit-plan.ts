/**
 * Decides what one commit does with each batch that waited, from a view of the topic and without waiting. The same
 * decision serves the cached view and the locked one. A refusal counts only on a fresh view.
 */

import { MillraceError, type OffsetRange, offsetMismatch, type ProducerState, topicClosed } from "../../core/index.js";
import type { Head } from "../../store/index.js";
import type { RecordBatch } from "../../wire/index.js";
import { judgeSequence, recordSequence } from "./producer-window.js";

/** A batch that waits for its commit. */
export interface BatchOrder {
  readonly batch: RecordBatch;
  readonly expectedOffset: number | undefined;
  readonly producer: { readonly id: string; readonly generation: number; readonly sequence: number } | undefined;
  /** The call that it belongs to. After its first refusal the rest of the call is refused too. */
  readonly call: object;
}

/** What an appender knows of its topic. `producers` has `undefined` for a producer that is known not to exist. */
export interface TopicView {
  readonly head: Head;
  readonly producers: ReadonlyMap<string, ProducerState | undefined>;
}

/** What happens to one batch, by its index among the orders. */
export type BatchFate =
  | { readonly kind: "appended"; readonly range: OffsetRange }
  | { readonly kind: "repeated"; readonly range: OffsetRange }
  | { readonly kind: "refused"; readonly error: MillraceError };

export interface CommitPlan {
  readonly fates: readonly BatchFate[];
  /** The batches to append, in order. */
  readonly appended: readonly RecordBatch[];
  /** The producers that moved, in their state after the commit. */
  readonly producers: readonly ProducerState[];
  readonly records: number;
  readonly hasRefusals: boolean;
}

export interface PlanOptions {
  readonly topic: string;
  /** How many sequences of a producer are remembered. */
  readonly producerWindow: number;
  /** Calls that had a batch refused before. */
  readonly failedCalls: { has(call: object): boolean };
}

export function planCommit(view: TopicView, orders: readonly BatchOrder[], options: PlanOptions): CommitPlan {
  const fates: BatchFate[] = [];
  const appended: RecordBatch[] = [];
  const moved = new Map<string, ProducerState>();
  const failed = new Set<object>();
  let nextOffset = view.head.nextOffset;

  for (const order of orders) {
    const fate = decide(order);
    fates.push(fate);
    if (fate.kind === "refused") failed.add(order.call);
    if (fate.kind !== "appended") continue;
    appended.push(order.batch);
    nextOffset = fate.range.nextOffset;
    if (order.producer !== undefined) {
      const before = moved.get(order.producer.id) ?? view.producers.get(order.producer.id);
      moved.set(
        order.producer.id,
        recordSequence(before, order.producer, { range: fate.range, window: options.producerWindow }),
      );
    }
  }
  return {
    fates,
    appended,
    producers: [...moved.values()],
    records: nextOffset - view.head.nextOffset,
    hasRefusals: failed.size > 0,
  };

  function decide(order: BatchOrder): BatchFate {
    if (failed.has(order.call) || options.failedCalls.has(order.call)) {
      return refused(new MillraceError("call-ended", "Not applied: an earlier batch of the call was refused"));
    }
    // A repeat is acknowledged whatever happened since: the first time it was applied.
    if (order.producer !== undefined) {
      const known = moved.get(order.producer.id) ?? view.producers.get(order.producer.id);
      const verdict = judgeSequence(known, order.producer);
      if (verdict.kind !== "next") return verdict;
    }
    if (view.head.closed) return refused(topicClosed(options.topic, nextOffset));
    if (order.expectedOffset !== undefined && order.expectedOffset !== nextOffset) {
      return refused(offsetMismatch(options.topic, order.expectedOffset, nextOffset));
    }
    return {
      kind: "appended",
      range: { firstOffset: nextOffset, nextOffset: nextOffset + order.batch.ends.length },
    };
  }
}

function refused(error: MillraceError): BatchFate {
  return { kind: "refused", error };
}
