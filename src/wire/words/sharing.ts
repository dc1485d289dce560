import type { Sharing } from "../../core/index.js";
import { Subscription_Sharing } from "../../gen/millrace/v1/subscription_service.js";
import { decodedWords } from "./decoded-words.js";

export const encodedSharing = {
  shared: Subscription_Sharing.SHARED,
  exclusive: Subscription_Sharing.EXCLUSIVE,
  keyed: Subscription_Sharing.KEYED,
} as const satisfies Record<Sharing, Subscription_Sharing>;

/** Unset: shared. */
export const decodedSharing = decodedWords<Sharing>(encodedSharing, "shared");
