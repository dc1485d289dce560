/** Where a batch was appended. It is durable. */
export interface Appended {
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly epoch: number;
  /** The producer's sequence had been applied before. The offsets are those of the first time. */
  readonly isRepeated: boolean;
}
