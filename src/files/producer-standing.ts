import { FailedPreconditionError, type MillraceClient } from "../client/index.js";

/** How far a producer has come in a topic. */
export interface ProducerStanding {
  /** The sequence that it is to send next, 1 or more. */
  readonly nextSequence: number;
  /** Where the batch before it stands. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** The topic's incarnation. */
  readonly epoch: number;
}

/** An offset that no topic has: what is asked under this condition is answered, and never appended. */
const nowhere = Number.MAX_SAFE_INTEGER;

/**
 * Asks the server what a producer sent last; undefined when it knows nothing of it. It asks by two batches that cannot be
 * appended: one far ahead, whose refusal tells what comes next, and the one before that, which the server takes for a
 * repeat and answers with its offsets.
 */
export async function standingOf(
  client: MillraceClient,
  topic: string,
  producerId: string,
  signal: AbortSignal | undefined,
): Promise<ProducerStanding | undefined> {
  const ask = (sequence: number) =>
    client.append(topic, [{}], {
      producer: { id: producerId, generation: 0, sequence },
      expectedOffset: nowhere,
      signal,
    });
  let nextSequence: number;
  try {
    await ask(Number.MAX_SAFE_INTEGER);
    return undefined;
  } catch (error) {
    if (!(error instanceof FailedPreconditionError) || error.reason !== "PRODUCER_GAP") throw error;
    nextSequence = Number(error.metadata.get("expected_sequence"));
  }
  if (!(nextSequence > 0)) return undefined;
  const { firstOffset, nextOffset, epoch } = await ask(nextSequence - 1);
  return { nextSequence, firstOffset, nextOffset, epoch };
}
