import { expect } from "vitest";
import { createClient, type FollowOptions, type MillraceClient } from "../../src/index.js";
import { AcknowledgedLog, publishBatches, Transcript } from "../support/acknowledged-log.js";
import { createTestDatabase, type DatabaseKind } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { oneOf, type Random } from "../support/soak.js";

const topic = "published/and-followed";

/** The batch sizes of the four publishers: each divides the number of records of a publisher. */
const batchSizes = [5, 10, 50, 250] as const;

/**
 * Four publishers publish `records` records; followers start before, during (two) and after. Every follower sees every
 * offset once, in order, with the acknowledged content.
 */
export async function publishAndFollow(kind: DatabaseKind, records: number, random: Random): Promise<void> {
  const database = await createTestDatabase(kind);
  // With small tails, followers often fall behind and catch up: so there are many handovers.
  const tailBytes = oneOf(random, [0, 16_384, 262_144, 4_194_304]);
  const settings = ["--listen", "127.0.0.1:0", "--log-level", "warn", "--tail-topic-bytes", String(tailBytes)];
  const server = await startServerProcess([...settings, ...databaseArguments(database.connection)]);
  const clients = Array.from({ length: 5 }, () => createClient({ address: server.address }));
  const [publishing, ...following] = clients as [MillraceClient, ...MillraceClient[]];
  try {
    await publishing.topics.create(topic);
    const log = new AcknowledgedLog();
    const run = new FollowerRun(following, records);
    await run.start({ start: "earliest" });
    const publishers = batchSizes.map((batchRecords, index) =>
      publishBatches(publishing, {
        topic,
        name: `publisher-${index}`,
        log,
        batchRecords,
        goesOn: (batch) => batch < records / batchSizes.length / batchRecords,
      }),
    );
    // What starts below is awaited below; until then no failure may be unhandled.
    for (const each of publishers) each.catch(() => undefined);
    await log.reaches(records * (0.1 + 0.2 * random()), publishers);
    await run.start({ start: { offset: 0 } });
    await log.reaches(records * (0.4 + 0.2 * random()), publishers);
    await run.start({ start: { last: records } });
    expect(log.size).toBeLessThan(records);
    await Promise.all(publishers);
    expect(log.size).toBe(records);
    await run.start({});
    for (const transcript of await run.finish()) log.check(transcript);
    expect(await publishing.topics.get(topic)).toMatchObject({ earliestOffset: 0, nextOffset: records });
    console.log(
      `${kind}: ${records} records, tail of ${tailBytes} bytes, ${run.fellBehind} times a follower fell behind`,
    );
  } finally {
    for (const client of clients) client.close();
    await server.stop();
    await database.drop();
  }
}

/** Followers of the topic to its last record, each with its own client. */
class FollowerRun {
  fellBehind = 0;
  readonly #clients: readonly MillraceClient[];
  readonly #records: number;
  readonly #transcripts: Transcript[] = [];
  readonly #ends: Promise<void>[] = [];

  constructor(clients: readonly MillraceClient[], records: number) {
    this.#clients = clients;
    this.#records = records;
  }

  /** Starts one more follower, by default from the earliest record. Resolves when it is confirmed. */
  async start(options: FollowOptions): Promise<void> {
    const index = this.#transcripts.length;
    const client = this.#clients[index];
    if (client === undefined) throw new Error("There are no more clients");
    const transcript = new Transcript();
    this.#transcripts.push(transcript);
    await new Promise<void>((resolve, reject) => {
      const end = this.#follow(client, transcript, {
        start: "earliest",
        ...options,
        onEvent: ({ type }) => {
          if (type === "started") resolve();
          if (type === "fell-behind") this.fellBehind += 1;
        },
      });
      end.catch(reject);
      this.#ends.push(end);
    });
  }

  async finish(): Promise<readonly Transcript[]> {
    await Promise.all(this.#ends);
    return this.#transcripts;
  }

  async #follow(client: MillraceClient, transcript: Transcript, options: FollowOptions): Promise<void> {
    for await (const { records } of client.follow(topic, options).pages()) {
      for (const record of records) transcript.take(record);
      if (transcript.nextOffset >= this.#records) return;
    }
  }
}
