import type { Sharing } from "../../core/index.js";
import { Subscription_Sharing } from "../../gen/millrace/v1/subscription_service.js";

export const sharingMessages = {
  shared: Subscription_Sharing.SHARED,
  exclusive: Subscription_Sharing.EXCLUSIVE,
  keyed: Subscription_Sharing.KEYED,
} as const satisfies Record<Sharing, Subscription_Sharing>;

export function sharingOf(message: Subscription_Sharing): Sharing {
  if (message === Subscription_Sharing.EXCLUSIVE) return "exclusive";
  return message === Subscription_Sharing.KEYED ? "keyed" : "shared";
}
