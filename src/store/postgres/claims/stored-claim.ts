import { sql } from "kysely";
import type { ClaimKind, StoredClaim } from "../../claim-store.js";
import { decodeRanges } from "./offset-ranges.js";

/** A claim's columns, from `claims` as `c`. */
export const claimColumns = sql`c.claim_id as "claimId", c.kind, c.slot, c.todo::text as todo`;

export interface ClaimRow {
  readonly claimId: number;
  readonly kind: ClaimKind;
  readonly slot: number;
  readonly todo: string;
}

export function toStoredClaim({ claimId, kind, slot, todo }: ClaimRow): StoredClaim {
  return { claimId, kind, slot, todo: decodeRanges(todo) };
}
