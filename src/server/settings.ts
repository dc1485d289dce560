/**
 * All settings of the server in one table: flag, `MILLRACE_…` variable, default, bounds. The command line, the
 * environment and `docs/settings.md` are made from it, so none can lack a setting. A flag overrides its variable, and
 * the variable the default.
 */

import { checkTopicName, defaultLimits, type Limits, MillraceError, retentionAgeBounds } from "../core/index.js";
import { defaultRouteGuideTopics, type RouteGuideTopics } from "../rpc/index.js";
import type { LogLevel } from "../telemetry/index.js";

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

const limitNames = Object.keys(limitRows) as (keyof Limits)[];

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

/** The settings, checked. */
export interface Settings {
  readonly listen: Address;
  readonly database:
    | { readonly kind: "postgres"; readonly url: string }
    | { readonly kind: "embedded"; readonly folder: string };
  readonly connections: number;
  readonly statementTimeoutMs: number;
  readonly poolWaitMs: number;
  readonly connectTimeoutMs: number;
  readonly metrics: Address | undefined;
  readonly logLevel: LogLevel;
  readonly autoCreate: boolean;
  readonly drainGraceMs: number;
  readonly streamsPerConnection: number;
  readonly keepaliveMs: number;
  readonly receiveBytes: number;
  readonly routeGuide: RouteGuideTopics;
  readonly limits: Limits;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** An invalid setting. The text names it, its value and its bounds. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

/** The environment variable of a setting. */
export function variableOf(name: string): string {
  return `MILLRACE_${name.replaceAll("-", "_").toUpperCase()}`;
}

/**
 * Reads the settings. `flags` has the command line's flags by name, as text, or `true` for a switch.
 * Throws a SettingError.
 */
export function readSettings(
  flags: Readonly<Record<string, string | boolean | undefined>>,
  environment: Readonly<Record<string, string | undefined>>,
): Settings {
  const texts = new Map<string, string>();
  const numbers = new Map<string, number>();
  const switches = new Map<string, boolean>();
  for (const setting of settingsTable) {
    const given = flags[setting.name] ?? environment[variableOf(setting.name)];
    const where = flags[setting.name] === undefined ? variableOf(setting.name) : `--${setting.name}`;
    switch (setting.kind) {
      case "text":
        texts.set(setting.name, readText(setting, given, where));
        break;
      case "number":
        numbers.set(setting.name, readNumber(setting, given, where));
        break;
      case "switch":
        switches.set(setting.name, readSwitch(setting, given, where));
        break;
      default:
        setting satisfies never;
    }
  }
  const text = (name: string): string => texts.get(name) ?? "";
  const number = (name: string): number => numbers.get(name) ?? 0;
  const limits = Object.fromEntries(limitNames.map((key) => [key, number(limitRows[key][0])])) as Record<
    keyof Limits,
    number
  >;
  checkOrder(limits, "heartbeatMinMs", "heartbeatMaxMs");
  checkOrder(limits, "pageBytesMin", "pageBytesMax");
  checkOrder(limits, "recordBytes", "batchBytes");
  checkBelow(limits.batchBytes, "batch-bytes", number("receive-bytes"), "receive-bytes");
  const isInsecure = switches.get("insecure") ?? false;
  const url = text("database-url") || environment["DATABASE_URL"] || "";
  return {
    listen: readAddress("listen", text("listen"), isInsecure),
    database: url === "" ? { kind: "embedded", folder: text("data") } : { kind: "postgres", url },
    connections: number("connections"),
    statementTimeoutMs: number("statement-timeout-ms"),
    poolWaitMs: number("pool-wait-ms"),
    connectTimeoutMs: number("connect-timeout-ms"),
    metrics: text("metrics") === "" ? undefined : readAddress("metrics", text("metrics"), isInsecure),
    logLevel: text("log-level") as LogLevel,
    autoCreate: text("auto-create") === "on",
    drainGraceMs: number("drain-grace-ms"),
    streamsPerConnection: number("streams-per-connection"),
    keepaliveMs: number("keepalive-ms"),
    receiveBytes: number("receive-bytes"),
    routeGuide: readRouteGuide(text("route-guide-features"), text("route-guide-notes")),
    limits,
  };
}

function readText(
  setting: Extract<Setting, { kind: "text" }>,
  given: string | boolean | undefined,
  where: string,
): string {
  const value = given === undefined || typeof given === "boolean" ? setting.initial : given;
  if (setting.choices !== undefined && !setting.choices.includes(value)) {
    throw new SettingError(`${where}: must be one of ${setting.choices.join(", ")}, got ${JSON.stringify(value)}`);
  }
  return value;
}

function readNumber(
  setting: Extract<Setting, { kind: "number" }>,
  given: string | boolean | undefined,
  where: string,
): number {
  if (given === undefined) return setting.initial;
  const value = typeof given === "string" && /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (!(value >= setting.min && value <= setting.max)) {
    throw new SettingError(
      `${where}: must be a whole number from ${setting.min} to ${setting.max}, got ${JSON.stringify(given)}`,
    );
  }
  return value;
}

function readSwitch(
  setting: Extract<Setting, { kind: "switch" }>,
  given: string | boolean | undefined,
  where: string,
): boolean {
  if (given === undefined || given === "") return setting.initial;
  if (given === true || given === "true" || given === "1") return true;
  if (given === false || given === "false" || given === "0") return false;
  throw new SettingError(`${where}: must be true or false, got ${JSON.stringify(given)}`);
}

/** The topics must differ: the topic of features is keyed, so a note would replace the feature at its place. */
function readRouteGuide(features: string, notes: string): RouteGuideTopics {
  if (features === notes) {
    throw new SettingError(`--route-guide-notes: must not be the topic of the features, ${JSON.stringify(features)}`);
  }
  return { features: readTopic("route-guide-features", features), notes: readTopic("route-guide-notes", notes) };
}

function readTopic(name: string, value: string): string {
  try {
    return checkTopicName(value, `--${name}`);
  } catch (error) {
    throw error instanceof MillraceError ? new SettingError(error.message) : error;
  }
}

/** Reads HOST:PORT, or [HOST]:PORT for IPv6. Port 0 takes a free one. */
function readAddress(name: string, value: string, isInsecure: boolean): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? Number.NaN);
  if (host === "" || !(port >= 0 && port <= 65_535)) {
    throw new SettingError(`--${name}: must be HOST:PORT, got ${JSON.stringify(value)}`);
  }
  if (!isInsecure && !isLoopback(host)) {
    throw new SettingError(
      `--${name}: ${host} is not a loopback address, and there is no TLS yet: everybody who can reach it could read and publish. Use 127.0.0.1, or give --insecure`,
    );
  }
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function checkOrder(limits: Record<keyof Limits, number>, low: keyof Limits, high: keyof Limits): void {
  checkBelow(limits[low], limitRows[low][0], limits[high], limitRows[high][0]);
}

function checkBelow(low: number, lowName: string, high: number, highName: string): void {
  if (low > high) throw new SettingError(`--${lowName} (${low}) must not be above --${highName} (${high})`);
}

/** The table of `docs/settings.md`. */
export function settingsMarkdown(): string {
  const rows = settingsTable.map((setting) => {
    const initial = setting.kind === "text" ? setting.initial || "–" : String(setting.initial);
    return `| \`--${setting.name}\` | \`${variableOf(setting.name)}\` | ${initial} | ${rangeOf(setting)} | ${setting.description} |`;
  });
  return ["| flag | variable | default | values | what it is |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}

function rangeOf(setting: Setting): string {
  switch (setting.kind) {
    case "text":
      return setting.choices?.join(", ") ?? "text";
    case "number":
      return `${setting.min} – ${setting.max}`;
    case "switch":
      return "true, false";
    default:
      return setting satisfies never;
  }
}
