/**
 * Every limit of the service in one place, with its default and its reason. The composition root reads overrides from
 * settings (`server/settings.ts`); nothing else holds a bound of its own.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

export interface Limits {
  /** Largest record, encoded and stamped, in bytes. */
  readonly recordBytes: number;
  /** Largest batch in records. */
  readonly batchRecords: number;
  /** Largest batch in bytes. A message stays under gRPC's default receive limit of 4 MiB (grpc-js.md #10). */
  readonly batchBytes: number;
  /**
   * Smallest page: what every stream may hold, however many there are. Measured, a stalled follower keeps one of them in
   * gRPC's buffer: 29 KiB in all at 16 KiB, 44 at 32, and a bare grpc-js stream of 32 KiB messages keeps 37.
   */
  readonly pageBytesMin: number;
  /** Largest page, earned by delivering 16 times as much on the stream. */
  readonly pageBytesMax: number;
  /** What all streams of a node may hold above `pageBytesMin` each. */
  readonly pageBudgetBytes: number;
  /** Buffers of pages and batches that wait to be used again, in bytes. */
  readonly bufferPoolBytes: number;
  /** Newest pages of one topic kept in memory. */
  readonly tailTopicBytes: number;
  /** Newest pages of all topics kept in memory; the least recently used tail leaves first. */
  readonly tailNodeBytes: number;
  /** Topics that publishing may create; beyond it only `TopicService.CreateTopic` does. */
  readonly autoCreatedTopics: number;
  /** Of those, how many the clients of one address may create by one node, since its start. */
  readonly autoCreatedTopicsPeer: number;
  /** Topics that a node remembers while nobody uses them. */
  readonly idleTopics: number;
  /** Batches that wait for one topic's commit, in bytes. */
  readonly publishTopicBytes: number;
  /** Batches that wait for any topic's commit, in bytes. */
  readonly publishNodeBytes: number;
  /** What one commit takes at most, in bytes; the rest waits for the next. */
  readonly commitBytes: number;
  /**
   * Frames that one block of the log takes, in bytes: compressed to a third, it stays inline in its row on a page of 8 KiB.
   */
  readonly blockBytes: number;
  /** How long `Append` waits for room in the budget, in milliseconds. */
  readonly appendWaitMs: number;
  /** Batches that one Publish call may have waiting for their commit. Also how many sequences a producer may repeat. */
  readonly producerWindow: number;
  /** Producers remembered per topic; the longest idle leave first. */
  readonly producersPerTopic: number;
  /** A producer that was idle for this long is forgotten, in milliseconds. */
  readonly producerIdleMs: number;
  /** How long a keyed topic remembers that a key was removed, for watchers that come back, in milliseconds. */
  readonly tombstoneLifetimeMs: number;
  /** Newest notes among which a RouteChat call looks for the earlier ones at a place: they are walked over each time. */
  readonly routeGuideHistory: number;
  /** Places that one RouteChat call may write at, each of which it remembers. */
  readonly routeGuidePlaces: number;
  /** What a topic keeps that does not say so itself, as `Retention`. 0: no bound. */
  readonly retentionAgeMs: number;
  readonly retentionRecords: number;
  readonly retentionBytes: number;
  /** How long a node's hold on subscriptions lasts without being renewed, in milliseconds; it is renewed at a third of it. */
  readonly sessionLeaseMs: number;
  /** Consume calls that one subscription may have on a node. */
  readonly consumersPerSubscription: number;
  /**
   * Records that a node keeps track of for consumers: outstanding ones, and those that wait for redelivery. Each takes 30
   * to 400 bytes of memory. When half of it is used, large windows are granted less than they ask for.
   */
  readonly outstandingNodeRecords: number;
  /** Records that a node reads ahead for one subscription's consumers, in bytes. */
  readonly consumeAheadBytes: number;
  /** Records that a node reads ahead for all of them, in bytes; beyond it each still reads a page at a time. */
  readonly consumeAheadNodeBytes: number;
  /** Records that a node takes off a SHARED subscription at once; other nodes cannot have them while it works on them. */
  readonly claimRecords: number;
  /**
   * What consumers of a subscription say shares a commit: one begins at most so often, in milliseconds. It delays
   * confirmations, and what is to come again at once.
   */
  readonly settleIntervalMs: number;
  /** Records that one subscription may have parked; beyond it, what fails goes on being tried. */
  readonly parkedRecords: number;
  /** Calls that may wait in one lane for the database. */
  readonly laneQueue: number;
  /** Heartbeats come at a random time between these, in milliseconds. */
  readonly heartbeatMinMs: number;
  readonly heartbeatMaxMs: number;
  /** How often the next offsets of followed topics are read again, in milliseconds. */
  readonly headPollMs: number;
}

export const defaultLimits: Limits = {
  recordBytes: 1 * MiB,
  batchRecords: 1000,
  batchBytes: 1 * MiB,
  pageBytesMin: 16 * KiB,
  pageBytesMax: 256 * KiB,
  pageBudgetBytes: 64 * MiB,
  bufferPoolBytes: 32 * MiB,
  tailTopicBytes: 4 * MiB,
  tailNodeBytes: 256 * MiB,
  autoCreatedTopics: 10_000,
  autoCreatedTopicsPeer: 1000,
  idleTopics: 1000,
  publishTopicBytes: 8 * MiB,
  publishNodeBytes: 64 * MiB,
  commitBytes: 4 * MiB,
  blockBytes: 20 * KiB,
  appendWaitMs: 1000,
  producerWindow: 64,
  producersPerTopic: 10_000,
  producerIdleMs: 24 * 3600_000,
  tombstoneLifetimeMs: 7 * 24 * 3600_000,
  routeGuideHistory: 100_000,
  routeGuidePlaces: 1000,
  retentionAgeMs: 0,
  retentionRecords: 0,
  retentionBytes: 0,
  sessionLeaseMs: 10_000,
  consumersPerSubscription: 1000,
  outstandingNodeRecords: 500_000,
  consumeAheadBytes: 4 * MiB,
  consumeAheadNodeBytes: 128 * MiB,
  claimRecords: 4000,
  settleIntervalMs: 10,
  parkedRecords: 100_000,
  laneQueue: 20_000,
  heartbeatMinMs: 5000,
  heartbeatMaxMs: 15_000,
  headPollMs: 1000,
};

/** Bounds of a record's parts. Not settings: readers in every language rely on them. */
export const recordBounds = {
  /** A key becomes an index entry of keyed topics; a B-tree entry ends at 2704 bytes. */
  keyBytes: 1024,
  attributes: 100,
  attributeNameBytes: 256,
  attributeValueBytes: 4096,
  /** A hundred years of 365.25 days. With a time before the year 2255 its end is still an exact number of microseconds. */
  lifetimeSeconds: 3_155_760_000,
  /** Messages nested in a body. Java and C++ readers stop at 100 in all, and a page adds two. */
  bodyDepth: 80,
} as const;

/** Bounds of a topic's retention by age: a hundred years, as of a lifetime. */
export const retentionAgeBounds = { leastMs: 1000, mostMs: 3_155_760_000_000 } as const;

/**
 * The largest answer of a unary method: what stands beside the records fits below gRPC's default receive limit of 4 MiB,
 * and so does the largest record. A constant, since the limit is the client's.
 */
export const answerBytes = 4_100_000;

/** Bounds of a topic's labels. */
export const labelBounds = { count: 64, nameBytes: 63, valueBytes: 256 } as const;

/** What a listing gives when not told, and at most. */
export const pageSizeBounds = { initial: 100, most: 1000 } as const;

/** A producer's name, in bytes. */
export const producerIdBytes = 128;
