/**
 * Idempotent producers: a batch that arrives twice is applied once. Each producer's newest sequences are kept with
 * their offsets, so that pipelined batches can be acknowledged again after a reconnect.
 */

import { MillraceError, type OffsetRange, type ProducerStamp, type ProducerState } from "../../core/index.js";

/** How a producer's batch relates to those before it. */
export type SequenceVerdict =
  | { readonly kind: "next" }
  | { readonly kind: "repeated"; readonly range: OffsetRange }
  | { readonly kind: "refused"; readonly error: MillraceError };

export function judgeSequence(known: ProducerState | undefined, batch: ProducerStamp): SequenceVerdict {
  // An unknown producer, or a new generation, begins at sequence 0.
  if (known === undefined || batch.generation > known.generation) {
    return batch.sequence === 0 ? { kind: "next" } : gap(batch, 0);
  }
  if (batch.generation < known.generation) {
    return refuse(
      "producer-fenced",
      `Producer "${batch.id}" of generation ${batch.generation} was fenced: generation ${known.generation} took over`,
      { producer_id: batch.id, expected_generation: String(known.generation) },
    );
  }
  if (batch.sequence === known.nextSequence) return { kind: "next" };
  if (batch.sequence > known.nextSequence) return gap(batch, known.nextSequence);
  const oldest = known.nextSequence - known.recent.length;
  const range = known.recent[batch.sequence - oldest];
  if (range !== undefined) return { kind: "repeated", range };
  return refuse(
    "producer-gap",
    `Producer "${batch.id}" repeats sequence ${batch.sequence}: it was applied, but only the last ${known.recent.length} are remembered, from ${oldest} on`,
    { producer_id: batch.id, oldest_sequence: String(oldest), expected_sequence: String(known.nextSequence) },
  );
}

/** The producer's state after its batch got `range`. */
export function recordSequence(
  known: ProducerState | undefined,
  batch: ProducerStamp,
  { range, window }: { readonly range: OffsetRange; readonly window: number },
): ProducerState {
  const before = known !== undefined && known.generation === batch.generation ? known.recent : [];
  return {
    id: batch.id,
    generation: batch.generation,
    nextSequence: batch.sequence + 1,
    recent: [...before.slice(Math.max(0, before.length - (window - 1))), range],
  };
}

function gap(batch: ProducerStamp, expected: number): SequenceVerdict {
  return refuse("producer-gap", `Producer "${batch.id}" sent sequence ${batch.sequence}, expected ${expected}`, {
    producer_id: batch.id,
    expected_sequence: String(expected),
  });
}

function refuse(
  code: "producer-gap" | "producer-fenced",
  message: string,
  metadata: Readonly<Record<string, string>>,
): SequenceVerdict {
  return { kind: "refused", error: new MillraceError(code, message, { metadata }) };
}
