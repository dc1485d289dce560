import { sql } from "kysely";
import { keySlots, type Sharing } from "../../../core/index.js";
import type { Connection } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/** Free claims from an offset on, one for each slot. Locks: new rows. Index: `claims_pkey`, `claims_rest`. */
const insertFree = prepareStatement({
  values: { subscriptionId: "bigint", kind: "text", slots: "int", fromOffset: "bigint" },
  build: (value) =>
    tables
      .insertInto("claims")
      .columns(["subscription_id", "kind", "slot", "todo"])
      .expression((eb) =>
        eb
          .selectFrom(sql<{ slot: number }>`generate_series(0, ${value.slots} - 1)`.as<"series">(sql`series (slot)`))
          .select([
            value.subscriptionId.as("subscription_id"),
            value.kind.as("kind"),
            "series.slot",
            sql<string>`int8multirange(int8range(${value.fromOffset}, null))`.as("todo"),
          ]),
      ),
});

export interface NewClaims {
  readonly subscriptionId: number;
  readonly sharing: Sharing;
  readonly fromOffset: number;
}

/** The claims of a subscription for all offsets from `fromOffset` on, as its sharing divides them. */
export async function insertClaims(
  connection: Connection,
  { subscriptionId, sharing, fromOffset }: NewClaims,
): Promise<void> {
  const kind = sharing === "shared" ? "rest" : "slot";
  const slots = sharing === "keyed" ? keySlots : 1;
  await connection.run(insertFree, { subscriptionId, kind, slots, fromOffset });
}
