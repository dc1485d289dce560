/** Who publishes a batch, for idempotence. */
export interface ProducerStamp {
  readonly id: string;
  /** The fencing number: a higher one takes over. */
  readonly generation: number;
  /** Counts the producer's batches from 0. */
  readonly sequence: number;
}

/** The offsets that a batch was given. */
export interface OffsetRange {
  readonly firstOffset: number;
  readonly nextOffset: number;
}

/** What a topic remembers of one producer. */
export interface ProducerState {
  readonly id: string;
  readonly generation: number;
  readonly nextSequence: number;
  /** The offset ranges of sequences `nextSequence - recent.length` to `nextSequence - 1`, oldest first; at most 64. */
  readonly recent: readonly OffsetRange[];
}
