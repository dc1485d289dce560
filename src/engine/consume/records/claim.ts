import { RangeSet } from "../../../core/index.js";
import type { ClaimKind, StoredClaim } from "../../../store/index.js";

/** A claim that this node holds: a set of offsets that no other node hands out. */
export class Claim {
  readonly claimId: number;
  readonly kind: ClaimKind;
  /** The slot of its keys in a KEYED subscription; else 0. */
  readonly slot: number;
  /** Attempts count from above this: each Seek raises it, so that no attempt has a number from before. */
  readonly attemptsBefore: number;
  /** The offsets that are not durably settled. */
  readonly todo: RangeSet;
  /** Of `todo`, the offsets that were not read from the topic yet. */
  readonly unread: RangeSet;
  /** How many records of it consumers have. */
  outstanding = 0;
  /** Another node has it, or a Seek deleted it: no verdict on its records counts. */
  isLost = false;
  /** It is about to be given to another node: none of its records are handed out any more. */
  isLeaving = false;

  constructor({ claimId, kind, slot, todo }: StoredClaim, attemptsBefore: number) {
    this.claimId = claimId;
    this.kind = kind;
    this.slot = slot;
    this.attemptsBefore = attemptsBefore;
    this.todo = new RangeSet(todo);
    // A redriven record is not read from the topic: it was parked, and its redelivery reads it from there.
    this.unread = new RangeSet(kind === "redriven" ? [] : todo);
  }
}
