import { sql } from "kysely";
import type { SeekRequest, StoredSubscription } from "../../subscription-store.js";
import type { Database } from "../database/database.js";
import { tables } from "../schema.js";
import { prepareStatement } from "../statement.js";
import { insertClaims } from "../claims/insert-claims.js";
import { lockAllClaims } from "../claims/lock-all-claims.js";
import { subscriptionSelection, toStoredSubscription } from "./stored-subscription.js";

/** The bound of `attempts_before`. It leaves room for later attempts, which have 32 bits on the wire. */
const attemptsBeforeMax = 2_000_000_000;

/**
 * Locks: the row of `subscriptions`, before any claim. A redrive waits for it, and adds its claims after this commit.
 * Index: `subscriptions_pkey`.
 */
const raiseGeneration = prepareStatement({
  values: { subscriptionId: "bigint", epoch: "bigint" },
  build: (value) =>
    tables
      .updateTable("subscriptions")
      .set((eb) => ({ generation: eb("generation", "+", sql.lit(1)), epoch: value.epoch }))
      .where("subscription_id", "=", value.subscriptionId)
      .returning("sharing"),
});

/**
 * Deletes claims and retries, and raises `attempts_before` above every earlier attempt. The current attempt of a record
 * to be redelivered is one more than the deliveries in its row of `retries`. A settled record has no row: it had up to
 * `attempts_max` attempts (more only if that was lowered since, or if the record was redriven).
 *
 * It runs after the locks, so it sees the retries that they waited for. Locks: rows that nobody else can write, since
 * all claims are locked. Index: `claims_pkey`, `settlements_pkey`, `retries_pkey`, `subscriptions_pkey`, `topics_pkey`.
 */
const forgetClaims = prepareStatement({
  values: { subscriptionId: "bigint", attemptsBeforeMax: "bigint" },
  build: (value) =>
    tables
      .with("retry", (db) =>
        db.deleteFrom("retries").where("subscription_id", "=", value.subscriptionId).returning("deliveries"),
      )
      .with("claim", (db) => db.deleteFrom("claims").where("subscription_id", "=", value.subscriptionId))
      .with("settlement", (db) => db.deleteFrom("settlements").where("subscription_id", "=", value.subscriptionId))
      .updateTable("subscriptions as s")
      .from("topics as t")
      .set((eb) => ({
        attempts_before: sql`least(${value.attemptsBeforeMax}, ${eb.ref("s.attempts_before")} + 1
          + greatest(${eb.ref("s.attempts_max")}, ${eb.selectFrom("retry").select((each) => each.fn.max("deliveries").as("max"))}))`,
      }))
      .where("s.subscription_id", "=", value.subscriptionId)
      .whereRef("t.topic_id", "=", "s.topic_id")
      .returning(subscriptionSelection),
});

/** The new claims have other ids, so the holders of earlier claims find them lost. */
export async function seekSubscription(
  database: Database,
  { subscriptionId, epoch, offset }: SeekRequest,
): Promise<StoredSubscription | undefined> {
  return database.transaction(async (connection) => {
    const [sought] = await connection.run(raiseGeneration, { subscriptionId, epoch });
    if (sought === undefined) return undefined;
    await lockAllClaims(connection, [subscriptionId]);
    const [row] = await connection.run(forgetClaims, { subscriptionId, attemptsBeforeMax });
    await insertClaims(connection, { subscriptionId, sharing: sought.sharing, fromOffset: offset });
    return row && toStoredSubscription(row);
  });
}
