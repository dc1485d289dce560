import { createHash } from "node:crypto";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { bindLargeInParts } from "../../src/store/postgres/database/bind-large.js";

let client: pg.Client;

beforeAll(async () => {
  client = new pg.Client({ connectionString: inject("postgresUrl") });
  bindLargeInParts(client);
  await client.connect();
});

afterAll(() => client.end());

const bytes = fc
  .oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(16_383, 16_384, 16_385, 100_000))
  .map((length) => Buffer.alloc(length, "abc"));
const value = fc.oneof(
  bytes,
  fc.constant(null),
  fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\0", "")),
);

test("bindLargeInParts(), sends large and small values in any order, prepared or not", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 5 }), fc.boolean(), async (values, isPrepared) => {
      const columns = values.map((each, index) =>
        Buffer.isBuffer(each)
          ? `encode(sha256($${index + 1}::bytea), 'hex') as c${index}`
          : `$${index + 1}::text as c${index}`,
      );
      const text = `select ${columns.join(", ")}`;
      const name = createHash("md5").update(text).digest("hex");
      const { rows } = await client.query<Record<string, string | null>>({ text, values, ...(isPrepared && { name }) });
      const expected = values.map((each) =>
        Buffer.isBuffer(each) ? createHash("sha256").update(each).digest("hex") : each,
      );
      expect(Object.values(rows[0] ?? {})).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test("bindLargeInParts(), a connection works after a statement with large values was refused", async () => {
  const large = Buffer.alloc(50_000);
  await expect(client.query("select 1 / octet_length($1::bytea) from no_such_table", [large])).rejects.toThrow(
    "no_such_table",
  );
  await expect(client.query("select $1::bytea, 1 / 0", [large])).rejects.toThrow("division by zero");
  expect((await client.query("select octet_length($1::bytea) as length", [large])).rows).toEqual([{ length: 50_000 }]);
});
