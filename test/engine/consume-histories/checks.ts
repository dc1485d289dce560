/** The rules that histories of consumers must keep. Each has a name, so that it can be switched off. */

export const checkNames = [
  // A record that was acknowledged, parked or committed, or is below a cursor after a seek, is not delivered.
  "settled-again",
  // A record is outstanding at one consumer at most, over all nodes.
  "outstanding-twice",
  // KEYED: at most one record of a key is outstanding; the records of a key are in the order of offsets, except failed
  // ones.
  "key-twice",
  "key-order",
  // KEYED: a record that timed out goes to another consumer, if there is an idle one.
  "keyed-timeout-moves",
  // EXCLUSIVE: new records are in the order of offsets, after returned ones.
  "exclusive-order",
  // Nothing is outstanding beyond the window; a record that is larger than its bytes is alone.
  "window-records",
  "window-bytes",
  "window-granted",
  // Checked when a record is handed out.
  "expired-delivered",
  "trimmed-delivered",
  "trimmed-skipped",
  // The same for records that were delivered before, and wait for redelivery.
  "trimmed-retry-skipped",
  "paused-delivers",
  // Attempts of a record, as its consumers receive them.
  "attempt-goes-down",
  "attempt-jumps",
  "release-keeps-attempt",
  "seek-attempt-reused",
  // Failures: each failure counts, and nothing else does.
  "parked-without-cause",
  "failures-bounded",
  "silent-parks",
  // Answers to verdicts.
  "told-unasked",
  "verdict-refused",
  "verdict-untold",
  "attempt-mismatch-stale",
  "seek-stale",
  "not-held-stale",
  // If a transport does not take records within the deadline, they go to others, and its consumer is informed.
  "stalled-goes-elsewhere",
  "stalled-told-stale",
  // Commit.
  "commit-refused",
  // A Commit of trimmed records.
  "commit-trimmed-refused",
  "commit-stale",
  // The end of a history: everything is settled once, and the subscription is at the end of its topic.
  "end-settled",
  "end-progress",
  "call-fails",
] as const;

export type CheckName = (typeof checkNames)[number];

/** A history that broke a rule. */
export class HistoryFault extends Error {
  override readonly name = "HistoryFault";
  readonly check: CheckName;

  constructor(check: CheckName, message: string) {
    super(`${check}: ${message}`);
    this.check = check;
  }
}
