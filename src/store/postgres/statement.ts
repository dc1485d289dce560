import { type CompiledQuery, type RawBuilder, sql } from "kysely";
import { tables } from "./schema.js";

/** The JavaScript type for each SQL type of a parameter. Array types are Postgres' text form. */
interface SqlTypes {
  bigint: number;
  "bigint or null": number | null;
  int: number;
  text: string;
  boolean: boolean;
  "boolean or null": boolean | null;
  float8: number;
  bytea: Uint8Array;
  "bytea or null": Uint8Array | null;
  jsonb: string;
  "jsonb or null": string | null;
  "int[]": string;
  "bigint[]": string;
  int8multirange: string;
  "int8multirange[]": string;
  "text[]": readonly string[];
}

export type ParameterTypes = Readonly<Record<string, keyof SqlTypes>>;

/** The values that a statement runs with, by name. */
export type StatementValues<Types extends ParameterTypes> = { readonly [Name in keyof Types]: SqlTypes[Types[Name]] };

type Placeholders<Types extends ParameterTypes> = {
  readonly [Name in keyof Types]: RawBuilder<SqlTypes[Types[Name]]>;
};

/** What Kysely's builders and its `sql` have in common. */
interface Compilable<Row> {
  compile(provider: typeof tables): CompiledQuery<Row>;
}

/** A statement, compiled once when its module is loaded. */
export interface Statement<Values, Row> {
  /** Set: sent as a prepared statement of this name, parsed once on each connection. */
  readonly name: string | undefined;
  readonly text: string;
  /** For each `$n` of the text, the name of its value. */
  readonly order: readonly (keyof Values & string)[];
  /** Never set: carries the type of the rows. */
  readonly row?: Row;
}

class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Compiles a statement once. Each value is written as `cast($n as its type)`, so Postgres guesses no type. With `name`
 * the statement runs prepared, under that name after `millrace_`. Names belong to a connection.
 */
export function prepareStatement<const Types extends ParameterTypes, Row>(definition: {
  readonly name?: string;
  readonly values: Types;
  readonly build: (values: Placeholders<Types>) => Compilable<Row>;
}): Statement<StatementValues<Types>, Row> {
  const placeholders = Object.fromEntries(
    Object.entries(definition.values).map(([name, type]) => {
      const sqlType = sql.raw(type.replace(" or null", ""));
      return [name, sql`cast(${new Placeholder(name)} as ${sqlType})`];
    }),
  ) as Placeholders<Types>;
  const compiled = definition.build(placeholders).compile(tables);
  const names = compiled.parameters.map((parameter) => {
    if (!(parameter instanceof Placeholder)) throw new TypeError("A statement may hold no value but its parameters");
    return parameter.name;
  });
  // Kysely numbers each use of a value, but each value is sent once. Large ones are last: pg's writer grows its buffer
  // for what it writes, and by half as much again for what follows.
  const isLarge = (name: string) => definition.values[name]?.startsWith("bytea") === true;
  const order = [...new Set(names)].toSorted((a, b) => Number(isLarge(a)) - Number(isLarge(b)));
  const text = compiled.sql.replace(
    /\$(\d+)/g,
    (_, digits: string) => `$${order.indexOf(names[Number(digits) - 1] as string) + 1}`,
  );
  return { name: definition.name && `millrace_${definition.name}`, text, order };
}

/** Explains a statement: the rows are the lines of its plan. */
export function explainStatement<Values>(
  statement: Statement<Values, unknown>,
): Statement<Values, { readonly "QUERY PLAN": string }> {
  return { name: undefined, text: `explain ${statement.text}`, order: statement.order };
}

/** The values in the order of the text's `$n`. */
export function orderValues<Values>(statement: Statement<Values, unknown>, values: Values): unknown[] {
  return statement.order.map((name) => values[name]);
}

/** What may be written into a statement's text. */
export type InlineValue = number | boolean | string | readonly string[] | Uint8Array | null;

/**
 * The statement's text with its values, for COPY, which takes no parameters. Injection is impossible. The text receives
 * only whole numbers from 0 to 2^53 - 1, true, false, null, and bytes in hex; text values are written as the hex of
 * their UTF-8.
 */
export function inlineValues<Name extends string>(
  statement: { readonly text: string; readonly order: readonly Name[] },
  values: Readonly<Record<Name, InlineValue>>,
): string {
  return statement.text.replace(/\$(\d+)/g, (_, digits: string) => {
    const name = statement.order[Number(digits) - 1];
    if (name === undefined) throw new RangeError(`The statement has no value ${digits}`);
    return inlineValue(values[name], name);
  });
}

/** A value as SQL text. */
export function inlineValue(value: InlineValue, name: string): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return `convert_from(${inlineBytes(Buffer.from(value))}, 'UTF8')`;
  if (typeof value === "number") return String(requireWholeNumber(value, name));
  if (value instanceof Uint8Array) return inlineBytes(Buffer.from(value));
  return `array[${value.map((text) => inlineValue(text, name)).join(", ")}]`;
}

const inlineBytes = (bytes: Buffer): string => `'\\x${bytes.toString("hex")}'`;

/** Returns a whole number from 0 to 2^53 - 1; throws a RangeError for other values. */
export function requireWholeNumber(value: number, name: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`Cannot run a statement with ${name} = ${value}: it takes whole numbers from 0 to 2^53 - 1`);
}
