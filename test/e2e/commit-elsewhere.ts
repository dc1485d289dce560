/**
 * Records that one node delivered are committed through another, as behind a load balancer: the first one is notified.
 */

import { expect } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";

const keys = 4;

export interface CommitRates {
  /** Milliseconds for all commits through the node that delivered the records. */
  readonly hereMs: number;
  /** The same through the other node. */
  readonly elsewhereMs: number;
}

/** Processes `records` records of four keys, one of a key at a time, by commits through either node. */
export async function commitAtBothNodes(records: number): Promise<CommitRates> {
  const database = await createTestDatabase("postgres");
  const nodes = await Promise.all([1, 2].map(() => startServerProcess(serverArguments())));
  const [here, elsewhere] = nodes.map(({ address }) => createClient({ address })) as [MillraceClient, MillraceClient];
  try {
    const hereMs = await workOff("here", here);
    return { hereMs, elsewhereMs: await workOff("elsewhere", elsewhere) };
  } finally {
    await Promise.all([here.close(), elsewhere.close()]);
    await Promise.all(nodes.map((node) => node.stop()));
    await database.drop();
  }

  function serverArguments(): string[] {
    return [...databaseArguments(database.connection), "--listen", "127.0.0.1:0"];
  }

  async function workOff(name: string, committer: MillraceClient): Promise<number> {
    const input = Array.from({ length: records }, (_, number) => ({ key: `k${number % keys}`, text: `${number}` }));
    for (let at = 0; at < records; at += 500) await here.append(name, input.slice(at, at + 500));
    await here.subscriptions.create(name, { topic: name, start: "earliest", sharing: "keyed" });
    const consumption = here.consume(name);
    const fromMs = performance.now();
    let left = records;
    await consumption.forEach(
      async (delivery) => {
        const { key, text } = delivery.record;
        await committer.commit(name, {
          deliveries: [delivery],
          append: [{ topic: `${name}/out`, records: [{ key, text }] }],
        });
        if (--left === 0) void consumption.stop();
      },
      { concurrency: keys },
    );
    const tookMs = performance.now() - fromMs;
    const next = new Map<string, number>();
    for await (const { key, text } of here.read(`${name}/out`)) {
      expect(Number(text)).toBe(next.get(key) ?? Number(key.slice(1)));
      next.set(key, Number(text) + keys);
    }
    expect([...next.values()].reduce((sum, number) => sum + Math.floor(number / keys), 0)).toBe(records);
    return tookMs;
  }
}
