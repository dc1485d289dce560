/** Where a group's claims are kept: the database, or nowhere. */

import type { CutBlock, OffsetFrame, SettleOutcome, SettleWrite } from "../../../store/index.js";

export interface Ledger {
  /** Names this node's hold; 0: there is nothing to hold. */
  readonly session: number;
  /** Whether what it claimed is its own for certain, at this moment. */
  readonly isHeld: boolean;
  /** Attempts count from above this. */
  readonly attemptsBefore: number;
  /** Nobody else consumes, as far as is known: what is not published yet may be claimed too. */
  readonly isAlone: boolean;
  settle(write: Omit<SettleWrite, "subscriptionId" | "session">): Promise<SettleOutcome>;
  /** Records to be redelivered; those that are gone are missing. */
  readRetryFrames(offsets: readonly number[]): Promise<readonly OffsetFrame[]>;
  /** Claims up to `count` more offsets between these. Undefined: there is nothing. */
  claimMore(count: number, fromOffset: number, untilOffset: number): Promise<CutBlock | undefined>;
}
