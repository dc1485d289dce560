import { afterEach, describe, expect, test } from "vitest";
import { createClient, type MillraceClient } from "../../src/index.js";
import { createTestDatabase, onPostgres } from "../support/database.js";
import { databaseArguments, killServerProcesses, startServerProcess } from "../support/server-process.js";
import { seededRandom } from "../support/soak.js";
import { runCli } from "../cli/run-cli.js";
import { watchWhileItChanges, withServer } from "./state.js";

afterEach(killServerProcesses);

describe.each(onPostgres)("The state of a keyed topic on %s", (kind) => {
  test("is the same for every watcher, fast, slow or interrupted, and for a list; otherwise it is refused", () =>
    withServer(kind, async (millrace) => {
      await watchWhileItChanges({
        millrace,
        topic: "features",
        keys: 60,
        changes: 3000,
        resumptions: 15,
        random: seededRandom(1),
      });
      await refusals(millrace);
    }));

  test("is what the command line gets, lists and watches, and survives a trim and a restart", async () => {
    const database = await createTestDatabase(kind);
    const args = [...databaseArguments(database.connection), "--listen", "127.0.0.1:0"];
    let server = await startServerProcess(args);
    const cli = (...words: string[]) => runCli([...words, "--address", server.address, "--json"]);
    const input = ["a", "b", "c"].map((id) => `{"id":"${id}","n":1}\n`).join("");
    expect(await cli("topic", "create", "prices", "--keyed")).toMatchObject({ code: 0 });
    expect(await runCli(["publish", "prices", "--key", "id", "--address", server.address], { input })).toMatchObject({
      code: 0,
    });
    const millrace = createClient({ address: server.address });
    await millrace.append("prices", [{ key: "b" }, { key: "c", json: { n: 2 } }, { text: "no key" }]);
    expect((await millrace.topics.get("prices")).isKeyed).toBe(true);
    await millrace.topics.trim("prices", 6);
    const watched = await cli("watch", "prices", "--limit", "2", "--position");
    expect(watched).toMatchObject({ code: 0 });
    expect(watched.lines.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(["a", "c"]);
    await server.stop();

    server = await startServerProcess(args);
    const got = await cli("get", "prices", "c", "b", "a", "none");
    expect(got.lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { key: "a", json: { id: "a", n: 1 }, offset: "0" },
      { key: "c", json: { n: 2 }, offset: "4" },
    ]);
    expect((await cli("list", "prices", "c")).lines).toHaveLength(1);
    const [, epoch, offset] = /--start (\d+):(\d+)/.exec(watched.stderr) ?? [];
    const again = createClient({ address: server.address });
    // After the watch's position there is nothing new; from the beginning there is a removal too.
    const changes = again.state.watch("prices", { start: { epoch: Number(epoch), offset: 3 } });
    const records: [string, boolean][] = [];
    for await (const record of changes) {
      records.push([record.key, record.body === undefined]);
      if (records.length === 2) break;
    }
    expect(records).toEqual([
      ["b", true],
      ["c", false],
    ]);
    expect(Number(offset)).toBe(5);
    millrace.close();
    again.close();
    await server.stop();
    await database.drop();
  });
});

/** Topics without a state, and invalid requests. */
async function refusals(millrace: MillraceClient): Promise<void> {
  await millrace.topics.create("log");
  await millrace.topics.create("keyed", { keyed: true });
  const { epoch } = await millrace.topics.get("keyed");
  const drain = async (records: AsyncIterable<unknown>) => {
    for await (const record of records) expect(record).toBeUndefined();
  };
  const cases: [() => Promise<unknown>, string, string][] = [
    [() => millrace.state.get("log", "a"), "FAILED_PRECONDITION", "keeps no state"],
    [() => drain(millrace.state.list("log")), "FAILED_PRECONDITION", "keeps no state"],
    [() => drain(millrace.state.watch("log")), "FAILED_PRECONDITION", "keeps no state"],
    [() => millrace.state.get("none", "a"), "NOT_FOUND", "none"],
    [() => millrace.state.getMany("keyed", []), "INVALID_ARGUMENT", "keys: must be 1 to 1000"],
    [() => millrace.state.getMany("keyed", ["a", ""]), "INVALID_ARGUMENT", "keys[1]: must not be empty"],
    [() => millrace.state.get("keyed", "\0"), "INVALID_ARGUMENT", "keys[0]: must not contain U+0000"],
    [() => millrace.state.get("keyed", "a".repeat(1025)), "INVALID_ARGUMENT", "at most 1024 bytes, got 1025"],
    [() => drain(millrace.state.list("keyed", { keyPrefix: "\0" })), "INVALID_ARGUMENT", "key_prefix"],
    [
      () => drain(millrace.state.watch("keyed", { start: { epoch, offset: 1 } })),
      "OUT_OF_RANGE",
      "its next offset is 0",
    ],
    [() => drain(millrace.state.watch("keyed", { start: { epoch: 1, offset: 0 } })), "FAILED_PRECONDITION", "epoch"],
  ];
  for (const [ask, code, message] of cases) {
    const error = await ask().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) as string });
  }
  expect(await millrace.state.get("keyed", "a")).toBeUndefined();
  await drain(millrace.state.list("keyed"));
}
