import { type RawBuilder, sql } from "kysely";

/** The last `most` of an array of reasons. */
export function newestReasons(reasons: RawBuilder<unknown>, most: RawBuilder<number>): RawBuilder<unknown> {
  return sql`(${reasons})[greatest(1, cardinality(${reasons}) - ${most} + 1):]`;
}

/** Postgres keeps no U+0000 in a text, and JSON for it no halves of surrogates: both become U+FFFD. */
export function storableText(text: string): string {
  return text.replaceAll("\0", "\u{fffd}").toWellFormed();
}
