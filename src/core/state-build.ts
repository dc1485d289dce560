/**
 * How far the building of a state is: from the newest record to the oldest, since what is in the state already is always
 * newer than what comes.
 */
export interface StateBuild {
  /** Where it began: the topic's next offset when it was turned keyed. */
  readonly fromOffset: number;
  /** Records from this offset on are in the state. */
  readonly nextOffset: number;
  /** It is whole when `nextOffset` has come down to here. */
  readonly untilOffset: number;
}
