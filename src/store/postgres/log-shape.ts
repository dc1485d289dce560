/** The shape of the stored log. Stores of one database may use different shapes. */
export interface LogShape {
  /** Up to this number of frame bytes in a block; a larger record is a block alone. */
  readonly blockBytes: number;
  /** How many of a producer's newest batches are kept. */
  readonly producerWindow: number;
}
