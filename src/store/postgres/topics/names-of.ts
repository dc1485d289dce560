import { type Expression, type RawBuilder, type SqlBool, sql } from "kysely";

/**
 * The names on a page, compared by bytes. With the collation "C" of names, a prefix is a range of the index. The range
 * begins at the prefix or after the page before. `starts_with` ends it: names may contain `_`, which `like` would read
 * as a wildcard.
 */
export function namesOf(
  name: Expression<string>,
  { prefix, after }: { readonly prefix: RawBuilder<string>; readonly after: RawBuilder<string> },
): RawBuilder<SqlBool> {
  return sql`${name} > ${after} and ${name} >= ${prefix} and ${name} < ${prefix} || '~'
  and starts_with(${name}, ${prefix})`;
}
