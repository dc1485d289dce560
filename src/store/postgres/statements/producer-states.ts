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

export function toProducerState(row: ProducerRow): ProducerState {
  const recent = [];
  for (let index = 0; index + 1 < row.recent.length; index += 2) {
    recent.push({ firstOffset: row.recent[index] as number, nextOffset: row.recent[index + 1] as number });
  }
  return { id: row.id, generation: row.generation, nextSequence: row.nextSequence, recent };
}

/** Producers as the rows of `producers`, for `jsonb_to_recordset`. */
export function encodeProducers(producers: readonly ProducerState[]): string {
  return JSON.stringify(
    producers.map((producer) => ({
      producer_id: producer.id,
      generation: producer.generation,
      next_sequence: producer.nextSequence,
      recent: producer.recent.flatMap((range) => [range.firstOffset, range.nextOffset]),
    })),
  );
}
