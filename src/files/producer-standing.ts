import { FailedPreconditionError, type MillraceClient } from "../client/index.js";

/** The progress of a producer in a topic. */
export interface ProducerStanding {
  /** The sequence of its next batch, 1 or more. */
  readonly nextSequence: number;
  /** The offsets of its last batch. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** The topic's incarnation. */
  readonly epoch: number;
}

/** No topic has this offset: the server answers a batch that expects it with an error, and never appends it. */
const nowhere = Number.MAX_SAFE_INTEGER;

/**
 * Asks the server for a producer's last batch; undefined when the server does not know the producer. It sends two
 * batches that cannot be appended. The first has a sequence far ahead, and the refusal tells the next sequence. The
 * second repeats the sequence before that, and the server answers it with the offsets of the original.
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
