import type { DeliveryPolicy } from "../../../core/index.js";

/** What a subscription asks of deliveries, as this node knows it last: read anew for each decision. */
export interface DeliverySettings {
  policy: DeliveryPolicy;
  isPaused: boolean;
}
