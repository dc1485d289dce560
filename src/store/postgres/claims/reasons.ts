import { type RawBuilder, sql } from "kysely";

/** The last `max` of an array of reasons. */
export function newestReasons(reasons: RawBuilder<unknown>, max: RawBuilder<number>): RawBuilder<unknown> {
  return sql`(${reasons})[greatest(1, cardinality(${reasons}) - ${max} + 1):]`;
}

/** A Postgres text cannot hold U+0000, nor can its JSON hold a lone surrogate: both become U+FFFD. */
export function storableText(text: string): string {
  return text.replaceAll("\0", "\u{fffd}").toWellFormed();
}
