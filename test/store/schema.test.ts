import { readFileSync } from "node:fs";
import { sql } from "kysely";
import { parseSync, Visitor } from "oxc-parser";
import { expect, test } from "vitest";
import { tables } from "../../src/store/postgres/schema.js";
import { prepareStatement } from "../../src/store/postgres/statement.js";

/** By table, columns as `name: JavaScript type, null if nullable, default if the database has one`. */
type Description = Readonly<Record<string, readonly string[]>>;

/** The JavaScript type for each SQL type. */
const typesOfSql: Readonly<Record<string, string>> = {
  bigint: "number",
  integer: "number",
  "double precision": "number",
  "bigint[]": "number[]",
  text: "string",
  int8multirange: "string",
  "text[]": "string[]",
  boolean: "boolean",
  bytea: "Buffer",
  jsonb: "json",
  "timestamp with time zone": "Date",
};

/** The types of schema.ts that need a translation. */
const typesOfSchema: Readonly<Record<string, string>> = {
  WriteTime: "Date default",
  Labels: "json default",
  "ColumnType<Sharing, string, never>": "string",
  "readonly object[]": "json",
  "Readonly<Record<string, number>>": "json",
};

/** The tables of schema.sql, which migrate.test.ts compares with those of the migrations. */
function describeGolden(): Description {
  const found: Record<string, string[]> = {};
  let columns: string[] = [];
  for (const line of readFileSync("test/store/schema.sql", "utf8").split("\n")) {
    const [, table] = /^create table millrace\.(\w+)/.exec(line) ?? [];
    if (table !== undefined) found[table] = columns = [];
    const [, name, type = "", rest = ""] =
      /^ {2}"(\w+)" ([a-z0-9 ]+?(?:\[\])?)(?= not null| collate| default| \/|,|$)(.*)/.exec(line) ?? [];
    if (name === undefined) continue;
    const isNull = !rest.includes("not null");
    const hasDefault = / default |as identity/.test(rest);
    columns.push(`${name}: ${typesOfSql[type] ?? type}${isNull ? " null" : ""}${hasDefault ? " default" : ""}`);
  }
  return sorted(found);
}

/** The tables of schema.ts, read by a parser. */
function describeTypes(): Description {
  const path = "src/store/postgres/schema.ts";
  const text = readFileSync(path, "utf8");
  const interfaces = new Map<string, Map<string, string>>();
  new Visitor({
    TSInterfaceDeclaration({ id, body }) {
      const members = body.body.flatMap((member): [string, string][] => {
        if (member.type !== "TSPropertySignature" || member.key.type !== "Identifier" || !member.typeAnnotation)
          return [];
        const { start, end } = member.typeAnnotation.typeAnnotation;
        return [[member.key.name, text.slice(start, end)]];
      });
      interfaces.set(id.name, new Map(members));
    },
  }).visit(parseSync(path, text).program);
  const found: Record<string, string[]> = {};
  for (const [table, type] of interfaces.get("Tables") ?? []) {
    found[table] = [...(interfaces.get(type) ?? [])].map(([name, column]) => `${name}: ${describeType(column)}`);
  }
  return sorted(found);
}

function describeType(written: string): string {
  const [, generated] = /^Generated<(.*)>$/.exec(written) ?? [];
  const given = generated ?? written;
  const isNull = given.endsWith(" | null");
  const type = given.replace(" | null", "");
  const plain = /^"\w+"( \| "\w+")*$/.test(type) ? "string" : (typesOfSchema[type] ?? type);
  return `${plain}${isNull ? " null" : ""}${generated === undefined ? "" : " default"}`;
}

function sorted(description: Record<string, string[]>): Description {
  return Object.fromEntries(
    Object.entries(description)
      .map(([table, columns]): [string, string[]] => [table, columns.toSorted()])
      .toSorted(([one], [other]) => (one < other ? -1 : 1)),
  );
}

test("the types of the tables, are those of schema.sql", () => {
  // Only migrate.ts writes it.
  const { migrations, ...golden } = describeGolden();
  expect(migrations).toContain("number: number");
  expect(describeTypes()).toEqual(golden);
});

test("tables, has no other column", () => {
  // @ts-expect-error The compiler knows the columns.
  const query = tables.selectFrom("topics").select("colour");
  expect(query.compile().sql).toBe('select "colour" from "millrace"."topics"');
});

test("prepareStatement(), binds each value of a built query once, large ones last", () => {
  const { name, text, order } = prepareStatement({
    name: "built",
    values: { frame: "bytea", topicId: "bigint" },
    build: (value) =>
      tables
        .updateTable("latest")
        .set({ frame: sql<Buffer>`${value.frame}`, offset: value.topicId })
        .where("topic_id", "=", value.topicId),
  });
  expect({ name, order }).toEqual({ name: "millrace_built", order: ["topicId", "frame"] });
  expect(text).toBe(
    'update "millrace"."latest" set "frame" = cast($2 as bytea), "offset" = cast($1 as bigint) where "topic_id" = cast($1 as bigint)',
  );
});

test("prepareStatement(), refuses a value that is written into a built query", () => {
  const build = () => tables.selectFrom("topics").select("name").where("topic_id", "=", 7);
  expect(() => prepareStatement({ values: {}, build })).toThrow("A statement may hold no value but its parameters");
});
