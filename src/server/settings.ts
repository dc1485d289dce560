/**
 * Every setting of the server in one table: a flag, a `MILLRACE_…` variable, a default, a bound. The command line, the
 * environment and `docs/settings.md` are all made from it, so that none of them can forget one. A flag wins over its
 * variable, and that over the default.
 */

import { checkTopicName, defaultLimits, type Limits, MillraceError, retentionAgeBounds } from "../core/index.js";
import { defaultRouteGuideTopics, type RouteGuideTopics } from "../rpc/index.js";
import type { LogLevel } from "../telemetry/index.js";

interface SettingBase {
  /** Kebab-case: `--record-bytes` and `MILLRACE_RECORD_BYTES` are made of it. */
  readonly name: string;
  readonly description: string;
}

/** How one setting is written. Numbers have the unit that their name ends with. */
export type Setting = SettingBase &
  (
    | { readonly kind: "text"; readonly initial: string; readonly choices?: readonly string[] }
    | { readonly kind: "number"; readonly initial: number; readonly least: number; readonly most: number }
    | { readonly kind: "switch"; readonly initial: boolean }
  );

/** What a limit is called outside, and its bounds. A new limit does not compile until it has a row. */
const limitRows: {
  readonly [Name in keyof Limits]: readonly [name: string, least: number, most: number, text: string];
} = {
  recordBytes: ["record-bytes", 1024, 3_000_000, "Largest record, encoded"],
  batchRecords: ["batch-records", 1, 100_000, "Largest batch, in records"],
  batchBytes: ["batch-bytes", 1024, 3_500_000, "Largest batch, encoded"],
  pageBytesMin: ["page-bytes-min", 1024, 1_048_576, "Smallest page: what every reader may hold"],
  pageBytesMax: ["page-bytes-max", 1024, 1_048_576, "Largest page, earned by delivering 16 times as much"],
  pageBudgetBytes: ["page-budget-bytes", 0, 2 ** 40, "What all readers may hold above the smallest page each"],
  bufferPoolBytes: ["buffer-pool-bytes", 0, 2 ** 40, "Buffers of pages and batches that are kept to be used again"],
  tailTopicBytes: ["tail-topic-bytes", 0, 2 ** 40, "Newest pages of one followed topic kept in memory"],
  tailNodeBytes: ["tail-node-bytes", 0, 2 ** 40, "Newest pages of all followed topics kept in memory"],
  autoCreatedTopics: ["auto-created-topics", 0, 2 ** 40, "Topics that publishing may create"],
  autoCreatedTopicsPeer: [
    "auto-created-topics-peer",
    0,
    2 ** 40,
    "Of those, how many the clients of one address may create by one node, since its start",
  ],
  idleTopics: ["idle-topics", 0, 1_000_000, "Topics remembered while nobody uses them"],
  publishTopicBytes: ["publish-topic-bytes", 1024, 2 ** 40, "Batches that wait for one topic's commit"],
  publishNodeBytes: ["publish-node-bytes", 1024, 2 ** 40, "Batches that wait for any topic's commit"],
  commitBytes: ["commit-bytes", 1024, 64 * 1_048_576, "What one commit takes at most"],
  blockBytes: [
    "block-bytes",
    1024,
    1_048_576,
    "Frames that one block of the log takes; a larger record is a block alone",
  ],
  appendWaitMs: ["append-wait-ms", 0, 60_000, "How long Append waits for room before RESOURCE_EXHAUSTED"],
  producerWindow: [
    "producer-window",
    1,
    1024,
    "Batches a Publish call may have outstanding, and sequences a producer may repeat",
  ],
  producersPerTopic: ["producers-per-topic", 1, 10_000_000, "Producers remembered per topic"],
  cachedProducers: ["cached-producers", 0, 10_000_000, "Producers whose state a node keeps in memory, over all topics"],
  producerIdleMs: ["producer-idle-ms", 1000, 2 ** 40, "When an idle producer is forgotten"],
  tombstoneLifetimeMs: [
    "tombstone-lifetime-ms",
    1000,
    2 ** 40,
    "How long a keyed topic remembers removed keys: a watch that resumes from before starts over",
  ],
  routeGuideHistory: [
    "route-guide-history",
    0,
    2 ** 40,
    "Newest notes among which RouteChat looks for the earlier ones at a place",
  ],
  routeGuidePlaces: ["route-guide-places", 1, 1_000_000, "Places that one RouteChat call may write at"],
  retentionAgeMs: [
    "retention-age-ms",
    0,
    retentionAgeBounds.maxMs,
    "Records older than this leave topics that say nothing else; 0: none does, as with the next two",
  ],
  retentionRecords: ["retention-records", 0, 2 ** 53 - 1, "So many records are kept of topics that say nothing else"],
  retentionBytes: ["retention-bytes", 0, 2 ** 53 - 1, "So many bytes are kept of topics that say nothing else"],
  sessionLeaseMs: [
    "session-lease-ms",
    1000,
    3_600_000,
    "How long a node that does not answer keeps its hold on subscriptions",
  ],
  consumersPerSubscription: [
    "consumers-per-subscription",
    1,
    100_000,
    "Consume calls that one subscription may have on a node",
  ],
  consumeAheadBytes: ["consume-ahead-bytes", 1024, 2 ** 40, "Read ahead for one subscription's consumers"],
  outstandingNodeRecords: [
    "outstanding-node-records",
    1000,
    100_000_000,
    "Records that consumers of this node may have outstanding, or waiting for redelivery",
  ],
  consumeAheadNodeBytes: ["consume-ahead-node-bytes", 1024, 2 ** 40, "Read ahead for all consumers together"],
  claimRecords: ["claim-records", 1, 1_000_000, "Records that a node takes off a SHARED subscription at once"],
  settleIntervalMs: [
    "settle-interval-ms",
    0,
    10_000,
    "How often what consumers of a subscription say is committed at most: it delays confirmations, and no delivery",
  ],
  parkedRecords: [
    "parked-records",
    1,
    10_000_000,
    "Records that one subscription may have parked; beyond it, what fails goes on being tried",
  ],
  laneQueue: ["lane-queue", 1, 10_000_000, "Calls that may wait in one lane for the database"],
  heartbeatMinMs: ["heartbeat-min-ms", 10, 3_600_000, "Heartbeats come at a random time from this"],
  heartbeatMaxMs: ["heartbeat-max-ms", 10, 3_600_000, "to this"],
  headPollMs: ["head-poll-ms", 10, 60_000, "How often next offsets of followed topics are read again"],
};

const limitNames = Object.keys(limitRows) as (keyof Limits)[];

/** The whole table, in the order in which it is documented. */
export const settingsTable: readonly Setting[] = [
  { name: "listen", kind: "text", initial: "127.0.0.1:50051", description: "Address of the gRPC service, HOST:PORT" },
  { name: "insecure", kind: "switch", initial: false, description: "Allow plaintext on addresses other than loopback" },
  { name: "data", kind: "text", initial: "millrace-data", description: "Folder of the embedded database" },
  {
    name: "database-url",
    kind: "text",
    initial: "",
    description: "Postgres 15 or newer, instead of the embedded database; DATABASE_URL works too",
  },
  { name: "connections", kind: "number", initial: 10, least: 4, most: 1000, description: "Size of the Postgres pool" },
  {
    name: "statement-timeout-ms",
    kind: "number",
    initial: 30_000,
    least: 100,
    most: 3_600_000,
    description: "Time limit of one statement",
  },
  {
    name: "pool-wait-ms",
    kind: "number",
    initial: 10_000,
    least: 100,
    most: 600_000,
    description: "Time limit of getting a connection",
  },
  {
    name: "connect-timeout-ms",
    kind: "number",
    initial: 3000,
    least: 100,
    most: 600_000,
    description: "Time limit of making a new connection to Postgres, pool-wait-ms at most",
  },
  { name: "metrics", kind: "text", initial: "", description: "Address of the metrics page, HOST:PORT; empty: none" },
  {
    name: "log-level",
    kind: "text",
    initial: "info",
    choices: ["debug", "info", "warn", "error", "silent"],
    description: "What is logged, as JSON lines on standard error",
  },
  {
    name: "auto-create",
    kind: "text",
    initial: "on",
    choices: ["on", "off"],
    description: "Publishing creates topics",
  },
  {
    name: "drain-grace-ms",
    kind: "number",
    initial: 10_000,
    least: 0,
    most: 600_000,
    description: "How long calls may take to end after SIGTERM or SIGINT; the process ends within a second more",
  },
  {
    name: "streams-per-connection",
    kind: "number",
    initial: 10_000,
    least: 1,
    most: 2 ** 31 - 1,
    description: "Calls at once on one client connection",
  },
  {
    name: "keepalive-ms",
    kind: "number",
    initial: 20_000,
    least: 1000,
    most: 7_200_000,
    description: "How often an HTTP/2 ping looks whether the client is there; it has half of that to answer",
  },
  {
    name: "receive-bytes",
    kind: "number",
    initial: 4_194_304,
    least: 65_536,
    most: 2 ** 31 - 1,
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
    const [name, least, most, description] = limitRows[key];
    return { name, kind: "number", initial: defaultLimits[key], least, most, description };
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

/** A setting that cannot be used: the text names it, its value and its bound. */
export class SettingError extends Error {
  override readonly name = "SettingError";
}

/** The variable of a setting. */
export function variableOf(name: string): string {
  return `MILLRACE_${name.replaceAll("-", "_").toUpperCase()}`;
}

/**
 * Reads the settings. `flags` are those of the command line by their names, as text (`true` for a switch).
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
  if (!(value >= setting.least && value <= setting.most)) {
    throw new SettingError(
      `${where}: must be a whole number from ${setting.least} to ${setting.most}, got ${JSON.stringify(given)}`,
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

/** Two topics, since one of them is keyed: a note would replace the feature at its place. */
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

/** HOST:PORT, [HOST]:PORT for IPv6. Port 0 takes a free one. */
function readAddress(name: string, value: string, isInsecure: boolean): Address {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3] ?? Number.NaN);
  if (host === "" || !(port >= 0 && port <= 65_535)) {
    throw new SettingError(`--${name}: must be HOST:PORT, got ${JSON.stringify(value)}`);
  }
  if (!isInsecure && !isLoopback(host)) {
    throw new SettingError(
      `--${name}: ${host} is not a loopback address, and there is no TLS yet: everybody who reaches it could read and publish. Use 127.0.0.1, or say --insecure`,
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

/** The table as `docs/settings.md` has it. */
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
      return `${setting.least} – ${setting.most}`;
    case "switch":
      return "true, false";
    default:
      return setting satisfies never;
  }
}
