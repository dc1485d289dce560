import { type JetStreamManager, StorageType } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { setTimeout as sleep } from "node:timers/promises";
import { bodies } from "./sample.js";

/**
 * Fills a stream with `records` messages of the subject with its name. Without acknowledgements, which take ten times
 * as long. Then waits until the stream has all of them.
 */
export async function fillJetStream(
  connection: NatsConnection,
  manager: JetStreamManager,
  { stream, records, bodyBytes }: { readonly stream: string; readonly records: number; readonly bodyBytes: number },
): Promise<void> {
  await manager.streams.add({ name: stream, subjects: [stream], storage: StorageType.File });
  const payloads = bodies(bodyBytes);
  for (let sent = 0; sent < records; ) {
    connection.publish(stream, payloads[sent % payloads.length] as Uint8Array);
    sent += 1;
    // The server drops messages that it cannot queue, so the client must not be too fast.
    if (sent % 5000 === 0) await connection.flush();
  }
  for (let stored = -1; ; ) {
    const { state } = await manager.streams.info(stream);
    if (state.messages === records) return;
    if (state.messages === stored) throw new Error(`JetStream dropped ${records - stored} messages`);
    stored = state.messages;
    await sleep(1000);
  }
}
