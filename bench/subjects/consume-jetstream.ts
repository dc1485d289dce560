import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { ConsumeCheck, type ConsumeRound } from "../harness/consume-check.js";
import { fillJetStream } from "../harness/fill-jetstream.js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface ConsumeJetStreamConfig {
  readonly port: number;
  /** A stream of each of these sizes is filled. */
  readonly fills: readonly number[];
  readonly bodyBytes: number;
}

const streamOf = (records: number) => `consume-${records}`;

/**
 * A round consumes a stream with a durable pull consumer of its own, and acknowledges each message separately. It ends
 * when the server has all acknowledgements.
 */
export async function open(config: ConsumeJetStreamConfig): Promise<Subject<ConsumeRound, Sample>> {
  const connection = await connect({ servers: `127.0.0.1:${config.port}` });
  const manager = await jetstreamManager(connection);
  const { bodyBytes } = config;
  for (const records of config.fills) {
    await fillJetStream(connection, manager, { stream: streamOf(records), records, bodyBytes });
  }
  const { consumers: durables } = jetstream(connection);

  async function consume(stream: string, name: string, round: ConsumeRound): Promise<number> {
    const check = new ConsumeCheck(round, bodyBytes);
    const all: ConsumerMessages[] = [];
    await new Promise<void>((resolve, reject) => {
      // A callback for each message is faster than its iterator.
      const callback = (message: JsMsg) => {
        try {
          if (check.accepts(message.seq - 1, message.data)) message.ack();
          else message.nak();
          if (check.isComplete) resolve();
        } catch (error) {
          reject(error);
        }
      };
      const start = async () => {
        const durable = await durables.get(stream, name);
        const { window } = round;
        // Requesting more at half a window is never slower than at three quarters, the default, and mostly faster.
        const threshold = Math.max(1, Math.floor(window / 2));
        all.push(await durable.consume({ max_messages: window, threshold_messages: threshold, callback }));
      };
      for (let consumer = 0; consumer < round.consumers; consumer++) start().catch(reject);
    });
    for (const each of all) each.stop();
    // Acknowledgements are not answered. The last one has arrived when the consumer waits for none.
    for (;;) {
      const { ack_floor, num_ack_pending } = await manager.consumers.info(stream, name);
      if (num_ack_pending === 0 && ack_floor.stream_seq === round.records) break;
    }
    return check.finish();
  }

  let rounds = 0;
  return {
    info: undefined,
    async round(round) {
      const stream = streamOf(round.records);
      const name = `group-${rounds++}`;
      await manager.consumers.add(stream, {
        durable_name: name,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        // The total for all consumers that pull from it.
        max_ack_pending: round.window * round.consumers,
      });
      const sample = await timed(() => consume(stream, name, round));
      await manager.consumers.delete(stream, name);
      return sample;
    },
    close: () => connection.close(),
  };
}
