import type { RecordInput } from "../../wire/index.js";

/** A batch that a Commit appends. */
export interface Output {
  /** A Commit may name each topic once. */
  readonly topic: string;
  /** At least one. */
  readonly records: readonly RecordInput[];
  /** Commit only if the topic's next offset is this one. */
  readonly expectedOffset?: number | undefined;
  /** Commit only to this incarnation of the topic. */
  readonly epoch?: number | undefined;
}

/** Where a Commit appended a batch. */
export interface CommittedOutput {
  readonly topic: string;
  readonly epoch: number;
  readonly firstOffset: number;
  /** The offset after the last one. */
  readonly nextOffset: number;
}
