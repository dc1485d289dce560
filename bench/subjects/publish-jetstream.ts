import { jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { publishAcknowledged } from "../harness/publish-acknowledged.js";
import { bodies, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface PublishJetStreamConfig {
  readonly port: number;
  readonly bodyBytes: number;
}

/** A round publishes messages, each acknowledged by the file store. */
export async function open(config: PublishJetStreamConfig): Promise<Subject<{ readonly records: number }, Sample>> {
  const connection = await connect({ servers: `127.0.0.1:${config.port}` });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "publish", subjects: ["publish"], storage: StorageType.File });
  const stream = jetstream(connection);
  const payloads = bodies(config.bodyBytes);
  return {
    info: undefined,
    round: ({ records }) =>
      timed(async () => {
        await publishAcknowledged(stream, "publish", payloads, records);
        return records;
      }),
    close: () => connection.close(),
  };
}
