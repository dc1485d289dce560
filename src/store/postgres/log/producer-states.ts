/**
 * The state of a topic's producers: a row each in `producers`, and the later changes, which stand in blocks that were
 * not merged yet. A row that every commit updates would slow all commits down while a snapshot is held.
 */

import { sql } from "kysely";
import type { ProducerState } from "../../../core/index.js";

/** A producer as JSON carries it: `recent` in pairs of first and next offset. Numbers below 2^53 survive JSON. */
export interface ProducerRow {
  readonly id: string;
  readonly generation: number;
  readonly nextSequence: number;
  readonly recent: readonly number[];
}

/** A producer's columns, of `producers` as `p`, as one JSON object. */
export const producerObject = sql`json_build_object('id', p.producer_id, 'generation', p.generation,
    'nextSequence', p.next_sequence, 'recent', p.recent)`;

/** The producers of a commit as its first block stores them, with only the batches of this commit in `recent`. */
export function encodeSteps(producers: readonly ProducerState[], firstOffset: number): string {
  const rows = producers.map(({ id, generation, nextSequence, recent }): ProducerRow => {
    const own = recent.filter((range) => range.firstOffset >= firstOffset);
    return { id, generation, nextSequence, recent: own.flatMap((range) => [range.firstOffset, range.nextOffset]) };
  });
  return JSON.stringify(rows);
}

/** Applies changes to producers, in the order of their commits. */
export function foldSteps(known: readonly ProducerRow[], steps: readonly ProducerRow[]): Map<string, ProducerRow> {
  const folded = new Map(known.map((row) => [row.id, row]));
  for (const step of steps) {
    const before = folded.get(step.id);
    // The sequences of `recent` count back from `nextSequence`, so the lists may be joined only where no batch is
    // missing.
    const follows =
      before?.generation === step.generation && before.nextSequence === step.nextSequence - step.recent.length / 2;
    folded.set(step.id, follows ? { ...step, recent: [...before.recent, ...step.recent] } : step);
  }
  return folded;
}

export function toProducerState({ id, generation, nextSequence, recent }: ProducerRow): ProducerState {
  const ranges = [];
  for (let index = 0; index + 1 < recent.length; index += 2) {
    ranges.push({ firstOffset: recent[index] as number, nextOffset: recent[index + 1] as number });
  }
  return { id, generation, nextSequence, recent: ranges };
}
