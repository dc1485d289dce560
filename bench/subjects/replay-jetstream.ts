import { type JetStreamManager, DeliverPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { bodies, ReplayCheck, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface ReplayJetStreamConfig {
  readonly port: number;
  readonly records: number;
  readonly bodyBytes: number;
}

/** How many messages its client asks for at a time: more than its default of 100, which is slower. */
const messagesAhead = 10_000;

/** Fills a stream once. A round reads it with an ordered consumer, of the kind that pulls or the kind that is pushed. */
export async function open(config: ReplayJetStreamConfig): Promise<Subject<"pull" | "push", Sample>> {
  const connection = await connect({ servers: `127.0.0.1:${config.port}` });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "replay", subjects: ["replay"], storage: StorageType.File });
  const stream = jetstream(connection);
  await fill(connection, manager, config);

  async function consume(way: "pull" | "push") {
    if (way === "pull") {
      const consumer = await stream.consumers.get("replay", { deliver_policy: DeliverPolicy.All });
      return consumer.consume({ max_messages: messagesAhead });
    }
    const consumer = await stream.consumers.getPushConsumer("replay", { deliver_policy: DeliverPolicy.All });
    return consumer.consume();
  }

  return {
    info: undefined,
    round: (way) =>
      timed(async () => {
        const check = new ReplayCheck(config.bodyBytes, 1);
        const messages = await consume(way);
        for await (const message of messages) {
          check.see(message.seq, message.data);
          if (check.count === config.records) break;
        }
        await messages.close();
        return check.count;
      }),
    close: () => connection.close(),
  };
}

/** Without acknowledgements, which take ten times as long; then waits until the stream has everything. */
async function fill(
  connection: NatsConnection,
  manager: JetStreamManager,
  { records, bodyBytes }: ReplayJetStreamConfig,
): Promise<void> {
  const payloads = bodies(bodyBytes);
  for (let sent = 0; sent < records; ) {
    connection.publish("replay", payloads[sent % payloads.length] as Uint8Array);
    sent += 1;
    // The server must not be swamped: what it cannot queue it drops.
    if (sent % 5000 === 0) await connection.flush();
  }
  for (let stored = -1; ; ) {
    const { state } = await manager.streams.info("replay");
    if (state.messages === records) return;
    if (state.messages === stored) throw new Error(`JetStream dropped ${records - stored} messages`);
    stored = state.messages;
    await sleep(1000);
  }
}
