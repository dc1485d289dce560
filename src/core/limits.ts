/**
 * Every limit that a setting can change (`server/settings.ts`), with its default and its reason, and the fixed bounds of
 * requests.
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
   * Smallest page: every stream may hold one, however many streams there are. A stalled follower keeps one page in gRPC's
   * buffer. Measured, it occupies 29 KiB with pages of 16 KiB, and 44 KiB with pages of 32 KiB; a bare grpc-js stream with
   * messages of 32 KiB occupies 37 KiB.
   */
  readonly pageBytesMin: number;
  /** Largest page: a stream earns it by delivering 16 times as many bytes. */
  readonly pageBytesMax: number;
  /** What all streams of a node together may hold above `pageBytesMin` each. */
  readonly pageBudgetBytes: number;
  /** Free buffers that a node keeps for pages and batches, in bytes. */
  readonly bufferPoolBytes: number;
  /** Newest pages of one topic kept in memory. */
  readonly tailTopicBytes: number;
  /** Newest pages of all topics kept in memory; the least recently used tail is emptied first. */
  readonly tailNodeBytes: number;
  /** Topics that publishing may create; above it, only `TopicService.CreateTopic` creates topics. */
  readonly autoCreatedTopics: number;
  /** How many of these the clients of one address may create through one node, since it started. */
  readonly autoCreatedTopicsPeer: number;
  /** Topics that a node remembers while nobody uses them. */
  readonly idleTopics: number;
  /** Batches that wait for one topic's commit, in bytes. */
  readonly publishTopicBytes: number;
  /** Batches that wait for any topic's commit, in bytes. */
  readonly publishNodeBytes: number;
  /** Largest commit, in bytes; further batches wait for the next one. */
  readonly commitBytes: number;
  /** Frames in one block of the log, in bytes. Compressed to a third, a block stays inline in its row, on a page of 8 KiB. */
  readonly blockBytes: number;
  /** How long `Append` waits for room in the budget, in milliseconds. */
  readonly appendWaitMs: number;
  /** Batches of one Publish call that may wait for their commit. A producer may repeat this many of its newest sequences. */
  readonly producerWindow: number;
  /** Producers that a topic remembers; the longest idle ones are forgotten first. */
  readonly producersPerTopic: number;
  /** Producers whose state a node keeps in memory, over all topics: some 200 bytes each, and what the window adds. */
  readonly cachedProducers: number;
  /** After how long a topic forgets an idle producer, in milliseconds. */
  readonly producerIdleMs: number;
  /** How long a keyed topic remembers that a key was removed, for watchers that resume, in milliseconds. */
  readonly tombstoneLifetimeMs: number;
  /** Newest notes that a RouteChat call searches for earlier ones at a place. Each search walks over all of them. */
  readonly routeGuideHistory: number;
  /** Places that one RouteChat call may write at. The call remembers each of them. */
  readonly routeGuidePlaces: number;
  /** The `Retention` of topics that do not set their own. 0: no bound. */
  readonly retentionAgeMs: number;
  readonly retentionRecords: number;
  readonly retentionBytes: number;
  /** How long a node's session lasts without renewal, in milliseconds. The node renews it after a third of that. */
  readonly sessionLeaseMs: number;
  /** Consume calls that one subscription may have on a node. */
  readonly consumersPerSubscription: number;
  /**
   * Records that a node keeps track of for consumers: outstanding ones, and those that wait for redelivery. Each takes 30
   * to 400 bytes of memory. When half of the limit is used, large windows are granted less than they ask for.
   */
  readonly outstandingNodeRecords: number;
  /** Records that a node reads ahead for one subscription's consumers, in bytes. */
  readonly consumeAheadBytes: number;
  /** Records that a node reads ahead for all subscriptions, in bytes. Above it, each still reads one page at a time. */
  readonly consumeAheadNodeBytes: number;
  /** Records that a node claims from a SHARED subscription at once. Other nodes cannot deliver these meanwhile. */
  readonly claimRecords: number;
  /**
   * The shortest time between two commits of a subscription's verdicts, in milliseconds: verdicts that arrive meanwhile
   * share a commit. It delays confirmations, and redeliveries without a delay.
   */
  readonly settleIntervalMs: number;
  /** Records that one subscription may have parked. Above it, failing records are redelivered instead. */
  readonly parkedRecords: number;
  /** Calls that may wait in one lane for the database. */
  readonly laneQueue: number;
  /** Bounds of the random time between two heartbeats, in milliseconds. */
  readonly heartbeatMinMs: number;
  readonly heartbeatMaxMs: number;
  /** How often the next offsets of followed topics are read again, in milliseconds. */
  readonly headPollMs: number;
}

/** What bounds an append. A topic may have lower ones than its node. */
export type BatchLimits = Pick<Limits, "recordBytes" | "batchRecords" | "batchBytes">;

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
  cachedProducers: 100_000,
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
  /** Keyed topics index the key; a B-tree entry has at most 2704 bytes. */
  keyBytes: 1024,
  attributes: 100,
  attributeNameBytes: 256,
  attributeValueBytes: 4096,
  /** 100 years of 365.25 days. Until the year 2255 (2^53 µs), the end of a lifetime is exact to the microsecond. */
  lifetimeSeconds: 3_155_760_000,
  /** Depth of nested messages in a body. Java and C++ readers stop at 100 in all, and a page adds two. */
  bodyDepth: 80,
} as const;

/** Bounds of a topic's retention by age: up to 100 years, as for a lifetime. */
export const retentionAgeBounds = { minMs: 1000, maxMs: 3_155_760_000_000 } as const;

/**
 * The largest answer of a unary method. It holds the largest record, and with the fields beside the records it stays below
 * gRPC's default receive limit of 4 MiB. A constant, since that limit is the client's.
 */
export const answerBytes = 4_100_000;

/** Bounds of a topic's labels. */
export const labelBounds = { count: 64, nameBytes: 63, valueBytes: 256 } as const;

/** Items in a page of a listing; `initial`: when the request names no size. */
export const pageSizeBounds = { initial: 100, max: 1000 } as const;

/** A producer's name, in bytes. */
export const producerIdBytes = 128;
