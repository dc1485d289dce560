/** An answer is one message, and clients accept 4 MiB by default: larger answers are refused, or returned in pages. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { ListTopicsRequest, TopicServiceService } from "../../src/gen/millrace/v1/topic_service.js";
import { callUnary, openClient } from "../rpc/rpc-server.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import {
  databaseArguments,
  killServerProcesses,
  type ServerProcess,
  startServerProcess,
} from "../support/server-process.js";

describe("large answers", () => {
  let database: TestDatabase;
  let server: ServerProcess;
  let millrace: MillraceClient;

  beforeAll(async () => {
    database = await createTestDatabase("embedded");
    server = await startServerProcess(["--listen", "127.0.0.1:0", ...databaseArguments(database.connection)]);
    millrace = createClient({ address: server.address });
  });
  afterAll(async () => {
    millrace?.close();
    await killServerProcesses();
    await database?.drop();
  });

  test("Get refuses keys whose records do not fit into one message, and says how to get them", async () => {
    const text = "x".repeat(1_000_000);
    await millrace.topics.create("large", { keyed: true });
    const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
    for (const key of keys) await millrace.append("large", [{ key, text }]);
    expect(await millrace.state.getMany("large", keys.slice(0, 4))).toHaveLength(4);
    for (const asked of [keys.slice(0, 5), keys]) {
      await expect(millrace.state.getMany("large", asked)).rejects.toMatchObject({
        code: "RESOURCE_EXHAUSTED",
        reason: "ANSWER_TOO_LARGE",
        message: expect.stringMatching(
          new RegExp(
            `have \\d+ bytes together, at most 4100000 are allowed: ask for fewer of these ${asked.length} keys at once, or use List`,
          ),
        ) as string,
      });
    }
  });

  test("a list of topics is returned in pages that fit into one message, however many labels they have", async () => {
    const labels = Object.fromEntries(
      Array.from({ length: 64 }, (_, index) => [`${index}`.padEnd(63, "n"), "v".repeat(256)]),
    );
    const names = Array.from({ length: 300 }, (_, index) => `labelled/${`${index}`.padStart(3, "0")}`);
    for (const name of names) await millrace.topics.create(name, { labels });
    const client = openClient(server.address);
    const pages: number[] = [];
    const found: string[] = [];
    for (let pageToken = ""; ; ) {
      const request = ListTopicsRequest.fromPartial({ prefix: "labelled/", pageSize: 1000, pageToken });
      const page = await callUnary(client, TopicServiceService.listTopics, request);
      if (page instanceof Error) throw page;
      const { topics, nextPageToken } = page;
      pages.push(topics.length);
      found.push(...topics.map(({ name }) => name));
      if (nextPageToken === "") break;
      pageToken = nextPageToken;
    }
    client.close();
    expect(found).toEqual(names);
    expect(pages).toHaveLength(2);
  });
});
