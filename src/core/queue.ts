/**
 * What a queue of the node holds. `lane`: statements that wait for a database connection. `publish`: bytes of a topic's
 * batches that wait for their commit. `tail`: bytes of a topic's newest records, kept in memory for live followers.
 */
export type QueueKind = "lane" | "publish" | "tail";

/** How full a queue or buffer of the node is. */
export interface QueueDepth {
  readonly kind: QueueKind;
  /** Of the lane or the topic. */
  readonly name: string;
  readonly depth: number;
  readonly capacity: number;
}
