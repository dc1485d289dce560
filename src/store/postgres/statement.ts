import { type CompiledQuery, type RawBuilder, sql } from "kysely";
import { tables } from "./schema.js";

/** What JavaScript gives for each SQL type that our statements take. Array types are text that is already in place. */
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

/** Kysely's builders and its `sql` both fit. */
interface Compilable<Row> {
  compile(provider: typeof tables): CompiledQuery<Row>;
}

/** A statement that was compiled once, when its module was loaded. */
export interface Statement<Values, Row> {
  /** Set: sent as a prepared statement of this name, parsed once a connection. */
  readonly name: string | undefined;
  readonly text: string;
  /** For each `$n` of the text, the name of its value. */
  readonly order: readonly (keyof Values & string)[];
  /** Never set: carries the row's type. */
  readonly row?: Row;
}

class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Compiles a statement once. Each value stands in it as `cast($n as its type)`, so that no type is left to Postgres'
 * guess. With `name` it runs prepared; names are a connection's own, and begin with `millrace_`.
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
  // Kysely numbers every place of a value; each value is sent once. Large ones come last: pg's writer makes room for what
  // it writes, and half as much again for what comes behind that.
  const isLarge = (name: string) => definition.values[name]?.startsWith("bytea") === true;
  const order = [...new Set(names)].toSorted((a, b) => Number(isLarge(a)) - Number(isLarge(b)));
  const text = compiled.sql.replace(
    /\$(\d+)/g,
    (_, digits: string) => `$${order.indexOf(names[Number(digits) - 1] as string) + 1}`,
  );
  return { name: definition.name && `millrace_${definition.name}`, text, order };
}

/** What the database would do for a statement: a row a line. */
export function explainStatement<Values>(
  statement: Statement<Values, unknown>,
): Statement<Values, { readonly "QUERY PLAN": string }> {
  return { name: undefined, text: `explain ${statement.text}`, order: statement.order };
}

/** The values in the order of the text's `$n`. */
export function orderValues<Values>(statement: Statement<Values, unknown>, values: Values): unknown[] {
  return statement.order.map((name) => values[name]);
}

/** What can be written into a statement's text. */
export type InlineValue = number | boolean | string | readonly string[] | Uint8Array | null;

/**
 * The statement's text with its values written into it, for COPY, which takes no parameters. Only whole numbers from 0
 * to 2^53 - 1, true, false, null, and bytes as hex get in, texts as the bytes of their UTF-8: digits, the letters a to f
 * and words of ours are all that can reach the text.
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

/** A value as text of SQL. */
export function inlineValue(value: InlineValue, name: string): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return `convert_from(${inlineBytes(Buffer.from(value))}, 'UTF8')`;
  if (typeof value === "number") return String(requireWholeNumber(value, name));
  if (value instanceof Uint8Array) return inlineBytes(Buffer.from(value));
  return `array[${value.map((text) => inlineValue(text, name)).join(", ")}]`;
}

const inlineBytes = (bytes: Buffer): string => `'\\x${bytes.toString("hex")}'`;

/** The value, or a RangeError when it is not one of 0 to 2^53 - 1. */
export function requireWholeNumber(value: number, name: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`Cannot run a statement with ${name} = ${value}: it takes whole numbers from 0 to 2^53 - 1`);
}
