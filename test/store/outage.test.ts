import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store, StoreUnavailableError } from "../../src/store/index.js";
import { createOutage } from "../../src/store/postgres/database/outage.js";
import { recordingLogger } from "../rpc/rpc-server.js";
import { createTestDatabase, runOn, type TestDatabase } from "../support/database.js";
import { append, createdTopic, frameOf } from "./topic-writes.js";

const refused = { sqlState: "53100", text: "no room" };
const broken = { sqlState: undefined, text: "ECONNRESET" };

describe("createOutage()", () => {
  const watched = () => {
    let nowMs = 0;
    const logger = recordingLogger();
    const outage = createOutage(logger, { monotonicMs: () => nowMs });
    return { outage, logger, pass: (ms: number) => (nowMs += ms) };
  };
  const said = ({ lines }: ReturnType<typeof recordingLogger>) => lines.map(({ level, text }) => `${level}: ${text}`);

  test("logs once that the database fails, sometimes that it is still unreachable, and once that it is back", () => {
    const { outage, logger, pass } = watched();
    for (let ms = 0; ms < 60_000; ms += 10) {
      outage.failed(broken);
      // Some statements work: reads do while the disk is full.
      if (ms % 1000 === 0) outage.worked();
      pass(10);
    }
    for (let ms = 0; ms < 10_000; ms += 10) {
      outage.worked();
      pass(10);
    }
    expect(said(logger)).toEqual([
      "error: The database is away",
      ...Array.from({ length: 5 }, () => "warn: The database is still not there"),
      "info: The database is back",
    ]);
    expect(logger.lines[0]?.fields).toEqual({ cause: "ECONNRESET" });
    expect(logger.lines.at(-1)?.fields).toEqual({ seconds: 60, failures: 6000 });
    outage.failed(refused);
    expect(logger.lines.at(-1)).toMatchObject({
      text: "The database refuses its work",
      fields: { sqlstate: "53100", cause: "no room" },
    });
  });

  test("logs connections that break one by one, once a second", () => {
    const { outage, logger, pass } = watched();
    for (let count = 0; count < 100; count++) {
      outage.broke(broken);
      pass(25);
    }
    expect(said(logger)).toEqual(Array.from({ length: 3 }, () => "warn: Lost a database connection"));
    expect(logger.lines.map(({ fields }) => fields["connections"])).toEqual([1, 40, 40]);
    outage.worked();
    expect(logger.lines).toHaveLength(3);
  });
});

describe("a database that refuses its work", () => {
  let database: TestDatabase;
  let url: string;
  beforeAll(async () => {
    database = await createTestDatabase("postgres");
    url = (database.connection as { url: string }).url;
  });
  afterAll(() => database?.drop());

  async function refusing(store: Store, state: string): Promise<StoreUnavailableError> {
    const { head } = await createdTopic(store, `refuses-${state}`);
    await runOn(
      url,
      `create or replace function public.refuse() returns trigger as $$
        begin raise exception 'as state %', '${state}' using errcode = '${state}'; end $$ language plpgsql;
      create or replace trigger refuse before insert on millrace.blocks execute function public.refuse()`,
    );
    const error = await append(store, head.topicId, [frameOf("a")]).catch((thrown: unknown) => thrown);
    await runOn(url, "drop trigger refuse on millrace.blocks");
    return error as StoreUnavailableError;
  }

  test.each([
    ["53100", "The database has no room left on its disk"],
    ["25006", "The database takes no writes"],
    ["42501", "The database does not allow this node its work"],
    ["53300", "The database takes no more connections"],
  ])("by SQLSTATE %s, is logged with its cause, and explained to callers in their words", async (state, why) => {
    const logger = recordingLogger();
    const store = await database.openStore({ logger });
    const error = await refusing(store, state);
    expect(error).toMatchObject({ name: "StoreUnavailableError", outcomeUnknown: false, why });
    expect(logger.lines.filter(({ level }) => level === "error")).toMatchObject([
      { text: "The database refuses its work", fields: { sqlstate: state, cause: `as state ${state}` } },
    ]);
    await store.close();
  });
});
