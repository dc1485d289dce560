import { createClient } from "../../src/client/index.js";
import { ConsumeCheck, type ConsumeRound } from "../harness/consume-check.js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface ConsumeMillraceConfig {
  readonly address: string;
  readonly bodyBytes: number;
}

export interface ConsumeMillraceRound extends ConsumeRound {
  /** Whole messages, each acknowledged at once; or single records, each acknowledged at the end of the loop's body. */
  readonly way: "batches" | "records";
}

type Client = ReturnType<typeof createClient>;
type Consumption = ReturnType<Client["consume"]>;

export const consumeTopicOf = (records: number): string => `consume-${records}`;

/** A round consumes a topic with its own subscription. It ends when all acknowledgements are confirmed, so durable. */
export async function open(config: ConsumeMillraceConfig): Promise<Subject<ConsumeMillraceRound, Sample>> {
  const client = createClient({ address: config.address });

  async function batchesOf(consumption: Consumption, check: ConsumeCheck, stopAll: () => void): Promise<void> {
    const confirmed: Promise<string>[] = [];
    for await (const batch of consumption.batches()) {
      for (const { offset, data } of batch.records) {
        if (!check.accepts(offset, data)) throw new Error("Only single records are rejected");
      }
      confirmed.push(batch.acknowledge());
      if (check.isComplete) stopAll();
    }
    for (const answer of await Promise.all(confirmed)) {
      if (answer !== "acknowledged") throw new Error(`A batch was not acknowledged: ${answer}`);
    }
  }

  async function recordsOf(consumption: Consumption, check: ConsumeCheck, stopAll: () => void): Promise<void> {
    for await (const delivery of consumption) {
      if (!check.accepts(delivery.offset, delivery.record.data)) void delivery.reject({ delayMs: 0 });
      if (check.isComplete) stopAll();
    }
  }

  async function consume(subscription: string, round: ConsumeMillraceRound): Promise<number> {
    const check = new ConsumeCheck(round, config.bodyBytes);
    const all = Array.from({ length: round.consumers }, () =>
      client.consume(subscription, { window: { records: round.window } }),
    );
    const stopping: Promise<void>[] = [];
    const stopAll = () => stopping.push(...all.map((consumption) => consumption.stop()));
    const readAll = round.way === "batches" ? batchesOf : recordsOf;
    await Promise.all(all.map((consumption) => readAll(consumption, check, stopAll)));
    // Outstanding acknowledgements are confirmed by then.
    await Promise.all(stopping);
    return check.finish();
  }

  let rounds = 0;
  return {
    info: undefined,
    async round(round) {
      const subscription = `consume-${rounds++}`;
      const topic = consumeTopicOf(round.records);
      await client.subscriptions.create(subscription, { topic, start: "earliest", sharing: "shared" });
      const sample = await timed(() => consume(subscription, round));
      for await (const { lagRecords } of client.subscriptions.describe(subscription, { limit: 1 })) {
        if (lagRecords > 0) throw new Error(`${lagRecords} records were not acknowledged`);
      }
      await client.subscriptions.delete(subscription);
      return sample;
    },
    async close() {
      client.close();
    },
  };
}
