import { afterEach, describe, expect, test } from "vitest";
import { createClient } from "../../src/index.js";
import { onEmbedded, createTestDatabase } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { runCli } from "../cli/run-cli.js";
import { publishUnderRetention } from "./retention.js";

afterEach(killServerProcesses);

describe.each(onEmbedded)("A topic with a bound, on %s", (kind) => {
  test("returns to it after it was published to at full speed, and its followers miss nothing", async () => {
    const { bounded } = await publishUnderRetention({ kind, bound: 5000, forMs: 700 });
    expect(bounded.publishedPerSecond).toBeGreaterThan(0);
  }, 90_000);
});

describe("The command line", () => {
  test("sets a topic's retention, and a record's lifetime", async () => {
    const database = await createTestDatabase("postgres");
    const args = [...databaseArguments(database.connection), "--listen", "127.0.0.1:0"];
    const server = await startServerProcess(args);
    const cli = (...words: string[]) => runCli([...words, "--address", server.address, "--json"]);
    const topicOf = async (...words: string[]) => {
      const { lines, stderr } = await cli("topic", ...words);
      expect(stderr).toBe("");
      return JSON.parse(lines[0] ?? "") as object;
    };
    const bounds = ["--retain-age", "1.5h", "--retain-records", "5", "--retain-bytes", "2KiB"];
    const retention = { age: "5400s", records: "5", bytes: "2048" };
    expect(await topicOf("create", "kept", ...bounds)).toMatchObject({ retention });
    const changed = await topicOf("update", "kept", "--retain-bytes", "0", "--retain-age", "90s");
    expect(changed).toMatchObject({ retention: { age: "90s", records: "5" } });
    const refused = await cli("topic", "update", "kept", "--retain-age", "7");
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--retain-age: must be a number") as string,
    });

    const lines = (...words: string[]) =>
      runCli(["publish", "kept", ...words, "--address", server.address], { input: '{"n":1}\n' });
    expect(await lines("--lifetime", "1h")).toMatchObject({ code: 0 });
    expect(await lines("--lifetime", "1ms")).toMatchObject({ code: 0 });
    expect(await lines()).toMatchObject({ code: 0 });
    const read = await cli("read", "kept");
    expect(read.lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { offset: "0", lifetime: "3600s" },
      { offset: "2" },
    ]);
    const millrace = createClient({ address: server.address });
    expect((await millrace.topics.get("kept")).retention).toEqual({ ageMs: 90_000, records: 5, bytes: 0 });
    // A follower skips a record after its lifetime, and still receives its position.
    const offsets: number[] = [];
    for await (const { offset, lifetimeMs } of millrace.follow("kept", { start: "earliest" })) {
      offsets.push(offset);
      expect(lifetimeMs).toBe(offset === 0 ? 3_600_000 : undefined);
      if (offsets.length === 2) break;
    }
    expect(offsets).toEqual([0, 2]);
    millrace.close();
    await server.stop();
    await database.drop();
  });
});
