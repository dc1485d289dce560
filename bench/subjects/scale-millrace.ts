import { createClient } from "../../src/client/index.js";
import { jsonBody } from "../harness/json-bodies.js";
import type { Subject } from "../harness/subject.js";
import { median } from "../harness/statistics.js";

export interface ScaleMillraceConfig {
  readonly address: string;
  readonly bodyBytes: number;
}

export type ScaleRound =
  /** Publishes records: microseconds for each. */
  | { readonly do: "publish"; readonly topic: string; readonly records: number }
  /** Reads records at a place: microseconds for each. */
  | { readonly do: "read"; readonly topic: string; readonly at: "front" | "middle" | "end"; readonly records: number }
  /** Finds one record by its offset or its time, anywhere in the topic: the median, in milliseconds. */
  | { readonly do: "find"; readonly topic: string; readonly by: "offset" | "time" }
  /** Trims the topic a thousand records further, repeatedly: the median, in milliseconds. */
  | { readonly do: "trim"; readonly topic: string }
  /** An empty unary call: the median, in milliseconds. */
  | { readonly do: "ask" };

const times = 200;

export async function open(config: ScaleMillraceConfig): Promise<Subject<ScaleRound, number>> {
  const client = createClient({ address: config.address });

  async function publish(topic: string, records: number): Promise<number> {
    function* source() {
      for (let index = 0; index < records; index++) yield { data: jsonBody(index, config.bodyBytes) };
    }
    const publisher = client.publisher(topic);
    const startMs = performance.now();
    await publisher.publishAll(source());
    const micros = ((performance.now() - startMs) * 1000) / records;
    await publisher.close();
    return micros;
  }

  async function read(topic: string, at: "front" | "middle" | "end", records: number): Promise<number> {
    const { earliestOffset, nextOffset } = await client.topics.get(topic);
    const from = {
      front: earliestOffset,
      middle: Math.floor((earliestOffset + nextOffset - records) / 2),
      end: nextOffset - records,
    }[at];
    const startMs = performance.now();
    let count = 0;
    for await (const page of client.read(topic, { start: { offset: from }, limit: records }).pages()) {
      count += page.records.length;
    }
    if (count !== records) throw new Error(`Read ${count} records, not ${records}`);
    return ((performance.now() - startMs) * 1000) / records;
  }

  async function medianMs(work: (time: number) => Promise<unknown>, count = times): Promise<number> {
    const took: number[] = [];
    for (let time = 0; time < count; time++) {
      const startMs = performance.now();
      await work(time);
      took.push(performance.now() - startMs);
    }
    return median(took) ?? Number.NaN;
  }

  async function find(topic: string, by: "offset" | "time"): Promise<number> {
    const { earliestOffset, nextOffset, firstTime, lastTime } = await client.topics.get(topic);
    const kept = nextOffset - earliestOffset;
    const [first = 0, last = 0] = [firstTime?.getTime(), lastTime?.getTime()];
    return medianMs(async (time) => {
      // All over the topic, and never twice at one place.
      const part = ((time * 0.618_034) % 1) * 0.98;
      const start =
        by === "offset"
          ? { offset: earliestOffset + Math.floor(part * kept) }
          : { time: new Date(first + part * (last - first)) };
      for await (const { records } of client.read(topic, { start, limit: 1 }).pages()) {
        if (records.length !== 1) throw new Error("There is no such record");
      }
    });
  }

  return {
    info: undefined,
    async round(round) {
      switch (round.do) {
        case "publish":
          return publish(round.topic, round.records);
        case "read":
          return read(round.topic, round.at, round.records);
        case "find":
          return find(round.topic, round.by);
        case "trim": {
          const { earliestOffset } = await client.topics.get(round.topic);
          return medianMs((time) => client.topics.trim(round.topic, earliestOffset + 100 * (time + 1)), 20);
        }
        case "ask":
          return medianMs(() => client.health());
        default:
          return round satisfies never;
      }
    },
    async close() {
      client.close();
    },
  };
}
