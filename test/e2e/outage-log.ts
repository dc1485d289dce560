/** What a server logs while its database is away, with many subscriptions that each need it. */

import { expect } from "vitest";
import { createClient } from "../../src/index.js";
import { startPostgresServer } from "../support/postgres-server.js";
import { startServerProcess } from "../support/server-process.js";

interface OutageRun {
  readonly subscriptions: number;
  readonly awayMs: number;
}

/** The lines, with the one that names the cause of the outage, and the one that reports its end. */
export async function logAnOutage({ subscriptions, awayMs }: OutageRun): Promise<void> {
  const postgres = await startPostgresServer();
  const server = await startServerProcess(["--listen", "127.0.0.1:0", "--database-url", postgres.url]);
  const millrace = createClient({ address: server.address });
  const over = new AbortController();
  try {
    await millrace.topics.create("watched");
    await millrace.append("watched", [{ text: "one" }]);
    const consumptions: Promise<unknown>[] = [];
    let delivered = 0;
    for (let index = 0; index < subscriptions; index++) {
      const name = `watched-${index}`;
      await millrace.subscriptions.create(name, { topic: "watched", start: "earliest" });
      const consumption = millrace.consume(name, { signal: over.signal, window: { records: 1 } });
      consumptions.push(
        consumption
          .forEach(() => {
            delivered += 1;
          })
          .catch(() => undefined),
      );
    }
    await expect.poll(() => delivered, { timeout: 60_000 }).toBe(subscriptions);
    const before = server.log.length;
    await postgres.stop();
    const told = () => server.log.slice(before).map((line) => JSON.parse(line) as Record<string, unknown>);
    const said = (msg: string) => told().filter((line) => line["msg"] === msg);
    const awaitLine = (msg: string, timeout: number) => expect.poll(() => said(msg).length, { timeout }).toBe(1);
    await expect
      .poll(() => said("The database is away").length + said("The database refuses its work").length, {
        timeout: 20_000,
      })
      .toBe(1);
    const sinceMs = performance.now();
    await expect.poll(() => performance.now() - sinceMs, { timeout: awayMs + 5000 }).toBeGreaterThan(awayMs);
    await postgres.start();
    await awaitLine("The database is back", 30_000);
    // No request is forgotten.
    await millrace.append("watched", [{ text: "two" }], { producer: { id: "p", generation: 0, sequence: 0 } });
    await expect.poll(() => delivered, { timeout: 60_000 }).toBe(2 * subscriptions);
    const lines = told();
    console.log(`${subscriptions} subscriptions, away for ${awayMs} ms: ${lines.length} lines`);
    expect(lines.length).toBeLessThan(50);
    const [away] = [...said("The database is away"), ...said("The database refuses its work")];
    expect(away).toMatchObject({ cause: expect.any(String) as string });
    const [back] = said("The database is back");
    expect(back?.["seconds"]).toBeGreaterThanOrEqual(awayMs / 1000 - 1);
    over.abort();
    await Promise.all(consumptions);
  } finally {
    over.abort();
    millrace.close();
    await server.stop("SIGKILL");
    await postgres.remove();
  }
}
