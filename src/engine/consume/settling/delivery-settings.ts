import type { DeliveryPolicy } from "../../../core/index.js";

/** How a subscription wants its records delivered, as far as this node knows. It changes: read it anew for each decision. */
export interface DeliverySettings {
  policy: DeliveryPolicy;
  isPaused: boolean;
}
