/** How the log is kept. Stores of one database need not agree on it. */
export interface LogShape {
  /** Frame bytes that one block takes; a larger record is a block alone. */
  readonly blockBytes: number;
  /** How many of a producer's newest batches are remembered. */
  readonly producerWindow: number;
}
