import { sql } from "kysely";
import { keySlots, type Sharing } from "../../../core/index.js";
import type { Session } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";

/** Free claims from an offset on, one a slot. Locks: new rows. Index: `claims_pkey`, `claims_rest`. */
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

/** All that a subscription has to settle from `fromOffset` on, divided as it is shared. */
export async function insertClaims(
  session: Session,
  { subscriptionId, sharing, fromOffset }: NewClaims,
): Promise<void> {
  const kind = sharing === "shared" ? "rest" : "slot";
  const slots = sharing === "keyed" ? keySlots : 1;
  await session.run(insertFree, { subscriptionId, kind, slots, fromOffset });
}
