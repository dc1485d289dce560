import { jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { bodies, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface PublishJetStreamConfig {
  readonly port: number;
  readonly bodyBytes: number;
  /** How many messages may wait for their acknowledgement. */
  readonly outstanding: number;
}

/** Publishes so many messages in a round, each acknowledged by the file store. */
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
        // A ring of acknowledgements: waiting for the oldest keeps the window full.
        const acks: Promise<unknown>[] = [];
        for (let index = 0; index < records; index++) {
          const at = index % config.outstanding;
          await acks[at];
          acks[at] = stream.publish("publish", payloads[index % payloads.length] as Uint8Array);
        }
        await Promise.all(acks);
        return records;
      }),
    close: () => connection.close(),
  };
}
