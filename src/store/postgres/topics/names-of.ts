import { type Expression, type RawBuilder, type SqlBool, sql } from "kysely";

/**
 * Which names are on a page, bytewise. The collation "C" of a name makes a prefix a range of its index: it begins at the
 * prefix or after the page before, and `starts_with` ends it (names hold `_` and `.`, which a pattern would read as more
 * than themselves).
 */
export function namesOf(
  name: Expression<string>,
  { prefix, after }: { readonly prefix: RawBuilder<string>; readonly after: RawBuilder<string> },
): RawBuilder<SqlBool> {
  return sql`${name} > ${after} and ${name} >= ${prefix} and ${name} < ${prefix} || '~'
  and starts_with(${name}, ${prefix})`;
}
