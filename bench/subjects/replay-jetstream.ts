import { DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { fillJetStream } from "../harness/fill-jetstream.js";
import { ReplayCheck, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface ReplayJetStreamConfig {
  readonly port: number;
  readonly records: number;
  readonly bodyBytes: number;
}

/** How many messages its client requests at a time: more than its default of 100, which is slower. */
const messagesAhead = 10_000;

/** Fills a stream once. A round reads it with an ordered consumer, a pulling or a pushed one. */
export async function open(config: ReplayJetStreamConfig): Promise<Subject<"pull" | "push", Sample>> {
  const connection = await connect({ servers: `127.0.0.1:${config.port}` });
  const manager = await jetstreamManager(connection);
  const stream = jetstream(connection);
  const { records, bodyBytes } = config;
  await fillJetStream(connection, manager, { stream: "replay", records, bodyBytes });

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
