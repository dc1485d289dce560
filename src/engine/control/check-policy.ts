/** Checks what a subscription does with records that fail. */

import { type DeliveryPolicy, deliveryBounds, invalidArgument } from "../../core/index.js";

/** The fields of a policy as requests name them. */
const fields = [
  { property: "ackDeadlineMs", field: "ack_deadline", bounds: deliveryBounds.ackDeadlineMs, unit: " ms" },
  { property: "attemptsMax", field: "attempts_max", bounds: deliveryBounds.attemptsMax, unit: "" },
  { property: "retryMinMs", field: "retry_min", bounds: deliveryBounds.retryMs, unit: " ms" },
  { property: "retryMaxMs", field: "retry_max", bounds: deliveryBounds.retryMs, unit: " ms" },
  { property: "retryBacklog", field: "retry_backlog", bounds: deliveryBounds.retryBacklog, unit: "" },
] as const;

/**
 * Checks the requested values against `deliveryBounds`, and then together with `base`, which provides the others.
 * Returns all of them. Errors: `invalid-argument` on the request's own field.
 */
export function checkPolicy(asked: Partial<DeliveryPolicy>, base: DeliveryPolicy): DeliveryPolicy {
  for (const { property, field, bounds, unit } of fields) {
    const value = asked[property];
    if (value === undefined) continue;
    if (!Number.isInteger(value)) throw invalidArgument(field, `must be a whole number${unit && " of milliseconds"}`);
    if (value < bounds.min || value > bounds.max) {
      throw invalidArgument(field, `must be from ${bounds.min} to ${bounds.max}${unit}, got ${value}${unit}`);
    }
  }
  const policy = { ...base, ...asked };
  const { retryMinMs, retryMaxMs } = policy;
  if (retryMinMs > retryMaxMs) {
    // Blames the field that was requested.
    if (asked.retryMinMs === undefined) {
      throw invalidArgument("retry_max", `must be at least retry_min, which is ${retryMinMs} ms, got ${retryMaxMs} ms`);
    }
    throw invalidArgument("retry_min", `must be at most retry_max, which is ${retryMaxMs} ms, got ${retryMinMs} ms`);
  }
  return policy;
}
