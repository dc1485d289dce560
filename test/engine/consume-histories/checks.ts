/** What histories of consumers are held against: each rule by a name, so that it can be switched off. */

export const checkNames = [
  // What was confirmed as acknowledged, parked or committed, or lies below a cursor that was sought, is not delivered.
  "settled-again",
  // A record is outstanding at one consumer, on all nodes together.
  "outstanding-twice",
  // KEYED: one record of a key is outstanding; those of a key come in the order of offsets, but for failed ones.
  "key-twice",
  "key-order",
  // KEYED: what timed out goes to another consumer, where there is one with nothing to do.
  "keyed-timeout-moves",
  // EXCLUSIVE: new records come in the order of offsets, after what was given back.
  "exclusive-order",
  // Nothing is outstanding beyond the window; a record that is larger than its bytes is alone.
  "window-records",
  "window-bytes",
  "window-granted",
  // Looked at when a record is handed out.
  "expired-delivered",
  "trimmed-delivered",
  "trimmed-skipped",
  // The same for those that were delivered before, and wait for a retry.
  "trimmed-retry-skipped",
  "paused-delivers",
  // Attempts of a record, as its consumers are told.
  "attempt-goes-down",
  "attempt-jumps",
  "release-keeps-attempt",
  "seek-attempt-reused",
  // Failures: every one counts, and nothing else does.
  "parked-without-cause",
  "failures-bounded",
  "silent-parks",
  // What is told of verdicts.
  "told-unasked",
  "verdict-refused",
  "verdict-untold",
  "attempt-mismatch-stale",
  "seek-stale",
  "not-held-stale",
  // A transport that does not take its records within the deadline: they go to others, and it is told so.
  "stalled-goes-elsewhere",
  "stalled-told-stale",
  // Commit.
  "commit-refused",
  // Of records that its topic does not keep any more.
  "commit-trimmed-refused",
  "commit-stale",
  // How a history ends: everything is settled once, and the subscription is at the end of its topic.
  "end-settled",
  "end-progress",
  "call-fails",
] as const;

export type CheckName = (typeof checkNames)[number];

/** A history in which a rule did not hold. */
export class HistoryFault extends Error {
  override readonly name = "HistoryFault";
  readonly check: CheckName;

  constructor(check: CheckName, message: string) {
    super(`${check}: ${message}`);
    this.check = check;
  }
}
