/** Where the claims of a group are kept: in the database, or for an ephemeral consumer nowhere. */

import type { CutBlock, OffsetFrame, SettleOutcome, SettleWrite } from "../../../store/index.js";

export interface Ledger {
  /** The session that holds the claims; 0: they are kept nowhere. */
  readonly session: number;
  /** Whether it is certain at this moment that the claims are this node's. */
  readonly isHeld: boolean;
  /** As of `Claim`, for new claims. */
  readonly attemptsBefore: number;
  /** No other node consumes, as far as this one knows: so offsets may be claimed that are not published yet. */
  readonly isAlone: boolean;
  settle(write: Omit<SettleWrite, "subscriptionId" | "session">): Promise<SettleOutcome>;
  /** The frames of records to be redelivered; those that are gone are missing. */
  readRetryFrames(offsets: readonly number[]): Promise<readonly OffsetFrame[]>;
  /** Claims up to `count` more offsets between these; undefined: there are none. */
  claimMore(count: number, fromOffset: number, untilOffset: number): Promise<CutBlock | undefined>;
}
