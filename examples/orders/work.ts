/** A worker: an order in, a total out. */

import type { MillraceClient } from "millrace";
import { amountOf, recordOf, totalOf } from "./order.js";

/**
 * Adds orders to their customers' totals until SIGTERM. It keeps nothing in memory: nobody else works on the same
 * customer, so the total that it reads here is current.
 */
export async function work(
  millrace: MillraceClient,
  { subscription, totals }: { readonly subscription: string; readonly totals: string },
): Promise<void> {
  const consumption = millrace.consume(subscription, { window: { records: 100 } });
  process.once("SIGTERM", () => void consumption.stop());
  await consumption.forEach(
    async (delivery) => {
      const { key: customer, json } = delivery.record;
      const amount = amountOf(json);
      const before = await millrace.state.get(totals, customer);
      const total = totalOf(before?.json) + amount;
      // Both or neither. If this throws, the order is redelivered, to this worker or another.
      await delivery.commit([{ topic: totals, records: [recordOf({ customer, total, amount })] }]);
    },
    { concurrency: 8 },
  );
}
