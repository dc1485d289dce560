import type { RecordBatch } from "../../../wire/index.js";
import type { OffsetRange } from "../../../core/index.js";

export interface CommitCommand {
  /** As AppendCommand has it. */
  readonly peer?: string;
  readonly subscription: string;
  readonly session: number;
  /** Attempts count from 1. */
  readonly acknowledge: readonly { readonly range: OffsetRange; readonly attempt: number }[];
  readonly append: readonly {
    readonly topic: string;
    /** At least one record. */
    readonly batch: RecordBatch;
    readonly expectedOffset: number | undefined;
    /** 0: unchecked. */
    readonly epoch: number;
  }[];
}

/** Where the records of an output are. */
export interface CommittedOutput {
  readonly topic: string;
  readonly epoch: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
}
