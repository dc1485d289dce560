/**
 * How far the building of the state of a topic that became keyed has come. It goes from the newest record to the oldest, so a
 * record never replaces one that is in the state already.
 */
export interface StateBuild {
  /** Where it began: the topic's next offset when it became keyed. */
  readonly fromOffset: number;
  /** Records from this offset on are in the state. */
  readonly nextOffset: number;
  /** The state is complete when `nextOffset` has come down to this offset. */
  readonly untilOffset: number;
}
