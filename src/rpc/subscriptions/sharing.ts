import type { Sharing } from "../../core/index.js";
import { Subscription_Sharing } from "../../gen/millrace/v1/subscription_service.js";

/** The valid values of a request. */
export const sharings = new Map<number, Sharing>([
  [Subscription_Sharing.SHARING_UNSPECIFIED, "shared"],
  [Subscription_Sharing.SHARED, "shared"],
  [Subscription_Sharing.EXCLUSIVE, "exclusive"],
  [Subscription_Sharing.KEYED, "keyed"],
]);

export const encodedSharing = {
  shared: Subscription_Sharing.SHARED,
  exclusive: Subscription_Sharing.EXCLUSIVE,
  keyed: Subscription_Sharing.KEYED,
} as const satisfies Record<Sharing, Subscription_Sharing>;
