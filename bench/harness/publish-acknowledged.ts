import type { JetStreamClient } from "@nats-io/jetstream";

/**
 * How many messages may wait for their acknowledgement. Measured from 256 to 32,000: more are slower, and then time
 * out.
 */
export const jetStreamOutstanding = 256;

/** Publishes messages to a subject, each acknowledged, with the window always full. */
export async function publishAcknowledged(
  stream: JetStreamClient,
  subject: string,
  payloads: readonly Uint8Array[],
  records: number,
): Promise<void> {
  const acks: Promise<unknown>[] = [];
  for (let index = 0; index < records; index++) {
    const at = index % jetStreamOutstanding;
    // Waiting for the oldest keeps the window full.
    await acks[at];
    acks[at] = stream.publish(subject, payloads[index % payloads.length] as Uint8Array);
  }
  await Promise.all(acks);
}
