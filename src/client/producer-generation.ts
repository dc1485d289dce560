import type { ProducerStamp } from "../core/index.js";
import { appendBatch } from "./append.js";
import { ClientError, clientError } from "./client-error.js";
import type { Connection } from "./connection.js";

/** An offset that no topic has, and a sequence that none expects: what is asked by them is answered, and never appended. */
const nowhere = Number.MAX_SAFE_INTEGER;

/**
 * The generation at which a producer of this name begins: the one that is asked for, or else the one after its last. Throws a
 * ClientError where it has published at the one that is asked for: its sequences begin anew, and the server would take what
 * is published now for what was published then.
 */
export async function newGeneration(
  connection: Connection,
  topic: string,
  { id, generation: asked }: { readonly id: string; readonly generation: number | undefined },
  signal: AbortSignal,
): Promise<number> {
  const producer: ProducerStamp = { id, generation: asked ?? 0, sequence: nowhere };
  try {
    await appendBatch(connection, topic, [{}], { producer, expectedOffset: nowhere, signal });
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

/** What was published now was not stored, or not for certain. */
export function generationTaken(topic: string, id: string, generation: number): ClientError {
  const text = `Producer "${id}" has published to topic "${topic}" at generation ${generation} already: give a higher generation, or leave it out`;
  return clientError("FAILED_PRECONDITION", text, { reason: "PRODUCER_GENERATION_TAKEN" });
}

/** What the server knows of a producer, by its refusal; undefined: it refused something else. */
function knownOf(
  { reason, metadata }: ClientError,
  asked: number,
): { readonly generation: number; readonly hasPublished: boolean } | undefined {
  if (reason === "PRODUCER_GAP") {
    return { generation: asked, hasPublished: Number(metadata.get("expected_sequence")) > 0 };
  }
  if (reason === "PRODUCER_FENCED") {
    return { generation: Number(metadata.get("expected_generation")), hasPublished: true };
  }
  return undefined;
}
