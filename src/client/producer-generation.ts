import type { ProducerStamp } from "../core/index.js";
import { errorReason } from "../wire/index.js";
import { appendBatch } from "./append.js";
import { ClientError, clientError } from "./client-error.js";
import type { Connection } from "./connection.js";

/**
 * No topic has this offset, no producer this sequence: the server answers such a batch with an error, and never appends
 * it.
 */
const unreachable = Number.MAX_SAFE_INTEGER;

/**
 * The generation for a new producer of this name: the given one, or one more than its last. Throws a ClientError if the
 * name has already published at the given generation: sequences restart at 0, so the server would take new batches for
 * repetitions of the old ones.
 */
export async function newGeneration(
  connection: Connection,
  topic: string,
  { id, generation: asked }: { readonly id: string; readonly generation: number | undefined },
  signal: AbortSignal,
): Promise<number> {
  const producer: ProducerStamp = { id, generation: asked ?? 0, sequence: unreachable };
  try {
    await appendBatch(connection, { topic, records: [{}] }, { producer, expectedOffset: unreachable, signal });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const known = knownOf(error, producer.generation);
    if (known === undefined) throw error;
    if (!known.hasPublished) return producer.generation;
    if (asked === undefined) return known.generation + 1;
    if (known.generation > asked) throw error;
    throw generationTaken(topic, id, asked);
  }
  return producer.generation;
}

/** The records of this publisher were not stored, or it is unknown whether they were. */
export function generationTaken(topic: string, id: string, generation: number): ClientError {
  const text = `Producer "${id}" has already published to topic "${topic}" at generation ${generation}: give a higher generation, or leave it out`;
  return clientError("FAILED_PRECONDITION", text, { reason: "PRODUCER_GENERATION_TAKEN" });
}

/** What the server's refusal tells about a producer; undefined if the server refused for another reason. */
function knownOf(
  { reason, metadata }: ClientError,
  asked: number,
): { readonly generation: number; readonly hasPublished: boolean } | undefined {
  if (reason === errorReason("producer-gap")) {
    return { generation: asked, hasPublished: Number(metadata.get("expected_sequence")) > 0 };
  }
  if (reason === errorReason("producer-fenced")) {
    return { generation: Number(metadata.get("expected_generation")), hasPublished: true };
  }
  return undefined;
}
