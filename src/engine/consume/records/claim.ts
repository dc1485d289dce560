import { RangeSet } from "../../../core/index.js";
import type { ClaimKind, StoredClaim } from "../../../store/index.js";

/** A claim that this node holds: a set of offsets that nobody else hands out. */
export class Claim {
  readonly claimId: number;
  readonly kind: ClaimKind;
  /** Of a KEYED subscription's keys; else 0. */
  readonly slot: number;
  /** Attempts of the subscription count from above this: a Seek raises it. */
  readonly attemptsBefore: number;
  /** What is not durably settled. */
  readonly todo: RangeSet;
  /** Of that, what was not read from the topic yet. */
  readonly unread: RangeSet;
  /** Records of it that consumers have. */
  outstanding = 0;
  /** Somebody else has it, or everything began anew: no verdict on its records counts. */
  isLost = false;
  /** It is being given to another node: nothing of it is handed out any more. */
  isLeaving = false;

  constructor({ claimId, kind, slot, todo }: StoredClaim, attemptsBefore: number) {
    this.claimId = claimId;
    this.kind = kind;
    this.slot = slot;
    this.attemptsBefore = attemptsBefore;
    this.todo = new RangeSet(todo);
    // A redriven record comes from where it was parked, when its time has come.
    this.unread = new RangeSet(kind === "redriven" ? [] : todo);
  }
}
