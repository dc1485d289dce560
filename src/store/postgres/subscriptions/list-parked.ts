import { sql } from "kysely";
import type { ParkedRequest, StoredParked } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { base64Of } from "../selection.js";
import { prepareStatement } from "../statement.js";

/**
 * A page of parked records by offset. No locks. Lengths are known without reading frames, so frames beyond the page's
 * bytes are not read. Index: `parked_pkey` over a closed range.
 */
const selectParked = prepareStatement({
  values: { subscriptionId: "bigint", from: "bigint", until: "bigint", count: "bigint", bytes: "bigint" },
  build: (value) =>
    tables
      .selectFrom((from) =>
        from
          .selectFrom((page) =>
            page
              .selectFrom("parked")
              .where("subscription_id", "=", value.subscriptionId)
              .where("offset", ">=", value.from)
              .where("offset", "<", value.until)
              .select(["offset", "frame", "parked_time", "deliveries", "reasons"])
              .orderBy("offset")
              .limit(value.count)
              .as("found"),
          )
          .selectAll()
          .select(({ fn, ref }) => [
            fn
              .agg<number>("row_number")
              .over((over) => over.orderBy("offset"))
              .as("position"),
            fn
              .sum<number>(fn<number>("octet_length", [ref("frame")]))
              .over((over) => over.orderBy("offset"))
              .as("bytes"),
          ])
          .as("page"),
      )
      .where((eb) => eb.or([eb("page.position", "=", sql.lit(1)), eb("page.bytes", "<=", value.bytes)]))
      .select(["page.offset", "page.parked_time as parkedMicros", "page.deliveries", "page.reasons"])
      .select((eb) => base64Of(eb.ref("page.frame")).as("frame"))
      .orderBy("page.offset"),
});

export async function listParked(database: Database, request: ParkedRequest): Promise<readonly StoredParked[]> {
  const { subscriptionId, from, count, bytes } = request;
  const until = Math.min(request.until, Number.MAX_SAFE_INTEGER);
  const rows = await database.run(selectParked, { subscriptionId, from, until, count, bytes });
  return rows.map((row) => ({ ...row, frame: Buffer.from(row.frame, "base64") }));
}
