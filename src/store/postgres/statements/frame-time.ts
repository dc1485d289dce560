import { type RawBuilder, sql } from "kysely";

/**
 * The time in the stamp of a frame, in microseconds since 1970: 20 bytes before its end begin the seconds, 14 before it the
 * nanoseconds, both as five bytes of seven bits, the lowest first (`wire/stamp.ts`).
 */
export function frameTime(frame: RawBuilder<unknown>): RawBuilder<number> {
  const number = (fromEnd: number) =>
    sql.join(
      [0, 1, 2, 3, 4].map(
        (index) =>
          sql`((get_byte(${frame}, octet_length(${frame}) - ${sql.raw(String(fromEnd - index))}) & 127)::bigint << ${sql.raw(String(7 * index))})`,
      ),
      sql` + `,
    );
  return sql<number>`((${number(20)}) * 1000000 + (${number(14)}) / 1000)`;
}
