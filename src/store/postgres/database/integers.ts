import pg from "pg";

/** A `bigint` column as a number. All our values stay below 2^53; a larger one is an error, never rounded. */
export function parseInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot read ${text} from the database: it is above 2^53`);
  return value;
}

const int8 = pg.types.builtins.INT8;

/** For one pool's config: pg's own table of parsers belongs to the whole process. */
export const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === int8 ? parseInteger : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
};
