/**
 * All settings of the server in one table: flag, `MILLRACE_…` variable, default, bounds. The command line, the
 * environment and `docs/settings.md` are made from it, so none can lack a setting.
 */

import { defaultLimits, type Limits, retentionAgeBounds } from "../core/index.js";
import { defaultRouteGuideTopics } from "../rpc/index.js";

interface SettingBase {
  /** In kebab-case: `record-bytes` gives `--record-bytes` and `MILLRACE_RECORD_BYTES`. */
  readonly name: string;
  readonly description: string;
}

/** One setting. The name of a number ends with its unit. */
export type Setting = SettingBase &
  (
    | { readonly kind: "text"; readonly initial: string; readonly choices?: readonly string[] }
    | { readonly kind: "number"; readonly initial: number; readonly min: number; readonly max: number }
    | { readonly kind: "switch"; readonly initial: boolean }
  );

/** The setting of each limit, with its bounds. A new limit does not compile until it has a row. */
const limitRows: {
  readonly [Name in keyof Limits]: readonly [name: string, min: number, max: number, text: string];
} = {
  recordBytes: ["record-bytes", 1024, 3_000_000, "Largest record, encoded"],
  batchRecords: ["batch-records", 1, 100_000, "Largest batch, in records"],
  batchBytes: ["batch-bytes", 1024, 3_500_000, "Largest batch, encoded"],
  pageBytesMin: ["page-bytes-min", 1024, 1_048_576, "Smallest page, which every reader may hold"],
  pageBytesMax: ["page-bytes-max", 1024, 1_048_576, "Largest page; a reader gets it after 16 times as many bytes"],
  pageBudgetBytes: [
    "page-budget-bytes",
    0,
    2 ** 40,
    "Bytes that all readers together may hold in addition to a smallest page each",
  ],
  bufferPoolBytes: ["buffer-pool-bytes", 0, 2 ** 40, "Buffers of pages and batches that are kept for reuse"],
  tailTopicBytes: ["tail-topic-bytes", 0, 2 ** 40, "Newest pages of one followed topic kept in memory"],
  tailNodeBytes: ["tail-node-bytes", 0, 2 ** 40, "Newest pages of all followed topics kept in memory"],
  autoCreatedTopics: ["auto-created-topics", 0, 2 ** 40, "Topics that publishing may create"],
  autoCreatedTopicsPeer: [
    "auto-created-topics-peer",
    0,
    2 ** 40,
    "Topics of these that clients of one address may create on one node since its start",
  ],
  idleTopics: ["idle-topics", 0, 1_000_000, "Unused topics that are kept in memory"],
  publishTopicBytes: ["publish-topic-bytes", 1024, 2 ** 40, "Batches that wait for one topic's commit"],
  publishNodeBytes: ["publish-node-bytes", 1024, 2 ** 40, "Batches that wait for any topic's commit"],
  commitBytes: ["commit-bytes", 1024, 64 * 1_048_576, "Largest commit"],
  blockBytes: ["block-bytes", 1024, 1_048_576, "Largest block of the log; a larger record is a block by itself"],
  appendWaitMs: [
    "append-wait-ms",
    0,
    60_000,
    "How long Append waits for room in the topic's queue before RESOURCE_EXHAUSTED",
  ],
  producerWindow: [
    "producer-window",
    1,
    1024,
    "Batches that a Publish call may have outstanding, and sequences that a producer may repeat",
  ],
  producersPerTopic: ["producers-per-topic", 1, 10_000_000, "Producers remembered per topic"],
  cachedProducers: ["cached-producers", 0, 10_000_000, "Producers whose state a node keeps in memory, over all topics"],
  producerIdleMs: ["producer-idle-ms", 1000, 2 ** 40, "How long an idle producer is remembered"],
  tombstoneLifetimeMs: [
    "tombstone-lifetime-ms",
    1000,
    2 ** 40,
    "How long a keyed topic remembers removed keys; a watch that resumes from an earlier position starts over",
  ],
  routeGuideHistory: [
    "route-guide-history",
    0,
    2 ** 40,
    "How many of the newest notes RouteChat searches for earlier notes at a place",
  ],
  routeGuidePlaces: ["route-guide-places", 1, 1_000_000, "Places that one RouteChat call may write at"],
  retentionAgeMs: [
    "retention-age-ms",
    0,
    retentionAgeBounds.maxMs,
    "Greatest age of records in topics without their own bound; 0: no bound",
  ],
  retentionRecords: [
    "retention-records",
    0,
    2 ** 53 - 1,
    "Records that topics without their own bound keep; 0: no bound",
  ],
  retentionBytes: ["retention-bytes", 0, 2 ** 53 - 1, "Bytes that topics without their own bound keep; 0: no bound"],
  sessionLeaseMs: [
    "session-lease-ms",
    1000,
    3_600_000,
    "How long a node that does not answer keeps its sessions of subscriptions",
  ],
  consumersPerSubscription: ["consumers-per-subscription", 1, 100_000, "Consume calls per subscription on a node"],
  consumeAheadBytes: ["consume-ahead-bytes", 1024, 2 ** 40, "Records read ahead for the consumers of one subscription"],
  outstandingNodeRecords: [
    "outstanding-node-records",
    1000,
    100_000_000,
    "Records that may be outstanding at consumers of this node, or wait for redelivery",
  ],
  consumeAheadNodeBytes: ["consume-ahead-node-bytes", 1024, 2 ** 40, "Records read ahead for all consumers together"],
  claimRecords: ["claim-records", 1, 1_000_000, "Records that a node claims from a SHARED subscription at once"],
  settleIntervalMs: [
    "settle-interval-ms",
    0,
    10_000,
    "Shortest time between commits of verdicts on a subscription; delays confirmations, not deliveries",
  ],
  parkedRecords: [
    "parked-records",
    1,
    10_000_000,
    "Parked records per subscription; beyond it, failed records are still redelivered",
  ],
  laneQueue: ["lane-queue", 1, 10_000_000, "Calls that may wait in one lane for a database connection"],
  heartbeatMinMs: ["heartbeat-min-ms", 10, 3_600_000, "Shortest wait before a heartbeat; the wait is random"],
  heartbeatMaxMs: ["heartbeat-max-ms", 10, 3_600_000, "Longest wait before a heartbeat"],
  headPollMs: ["head-poll-ms", 10, 60_000, "How often the next offsets of followed topics are read"],
};

/** The limits that have a setting: all. */
export const limitNames = Object.keys(limitRows) as (keyof Limits)[];

/** The whole table, in the order of the documentation. */
export const settingsTable: readonly Setting[] = [
  { name: "listen", kind: "text", initial: "127.0.0.1:50051", description: "Address of the gRPC service, HOST:PORT" },
  { name: "insecure", kind: "switch", initial: false, description: "Allow plaintext on addresses other than loopback" },
  { name: "data", kind: "text", initial: "millrace-data", description: "Folder of the embedded database" },
  {
    name: "database-url",
    kind: "text",
    initial: "",
    description: "Postgres 15 or newer, instead of the embedded database; also read from DATABASE_URL",
  },
  { name: "connections", kind: "number", initial: 10, min: 4, max: 1000, description: "Size of the Postgres pool" },
  {
    name: "statement-timeout-ms",
    kind: "number",
    initial: 30_000,
    min: 100,
    max: 3_600_000,
    description: "Time limit of one statement",
  },
  {
    name: "pool-wait-ms",
    kind: "number",
    initial: 10_000,
    min: 100,
    max: 600_000,
    description: "Time limit of getting a connection",
  },
  {
    name: "connect-timeout-ms",
    kind: "number",
    initial: 3000,
    min: 100,
    max: 600_000,
    description: "Time limit of opening a connection to Postgres, at most pool-wait-ms",
  },
  { name: "metrics", kind: "text", initial: "", description: "Address of the metrics page, HOST:PORT; empty: none" },
  {
    name: "log-level",
    kind: "text",
    initial: "info",
    choices: ["debug", "info", "warn", "error", "silent"],
    description: "Lowest level that is logged, as JSON lines on standard error",
  },
  {
    name: "auto-create",
    kind: "text",
    initial: "on",
    choices: ["on", "off"],
    description: "Whether publishing creates topics",
  },
  {
    name: "drain-grace-ms",
    kind: "number",
    initial: 10_000,
    min: 0,
    max: 600_000,
    description: "How long calls may take to end after SIGTERM or SIGINT; the process ends up to a second later",
  },
  {
    name: "streams-per-connection",
    kind: "number",
    initial: 10_000,
    min: 1,
    max: 2 ** 31 - 1,
    description: "Calls at once on one client connection",
  },
  {
    name: "keepalive-ms",
    kind: "number",
    initial: 20_000,
    min: 1000,
    max: 7_200_000,
    description: "Interval of HTTP/2 pings to a client, which has half of it to answer",
  },
  {
    name: "receive-bytes",
    kind: "number",
    initial: 4_194_304,
    min: 65_536,
    max: 2 ** 31 - 1,
    description: "Largest request message",
  },
  {
    name: "route-guide-features",
    kind: "text",
    initial: defaultRouteGuideTopics.features,
    description: "Keyed topic that routeguide.RouteGuide takes its features from",
  },
  {
    name: "route-guide-notes",
    kind: "text",
    initial: defaultRouteGuideTopics.notes,
    description: "Topic that routeguide.RouteGuide records its notes in",
  },
  ...limitNames.map((key): Setting => {
    const [name, min, max, description] = limitRows[key];
    return { name, kind: "number", initial: defaultLimits[key], min, max, description };
  }),
];

/** The setting of a limit. */
export function nameOfLimit(limit: keyof Limits): string {
  return limitRows[limit][0];
}

/** The environment variable of a setting. */
export function variableOf(name: string): string {
  return `MILLRACE_${name.replaceAll("-", "_").toUpperCase()}`;
}
