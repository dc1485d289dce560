import type { Limits } from "../core/index.js";
import type { RouteGuideTopics } from "../rpc/index.js";
import type { LogLevel } from "../telemetry/index.js";
import {
  type Address,
  type GivenValue,
  readAddress,
  readNumber,
  readSwitch,
  readText,
  readTopic,
  SettingError,
} from "./read-setting.js";
import { limitNames, nameOfLimit, settingsTable, variableOf } from "./settings-table.js";

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

/**
 * Reads the settings: a flag overrides its variable, and the variable the default. `flags` has the command line's flags
 * by name. Throws a SettingError.
 */
export function readSettings(
  flags: Readonly<Record<string, GivenValue>>,
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
  const limits = Object.fromEntries(limitNames.map((key) => [key, number(nameOfLimit(key))])) as Record<
    keyof Limits,
    number
  >;
  const limit = (key: keyof Limits): Bound => ({ name: nameOfLimit(key), value: limits[key] });
  checkOrder(limit("heartbeatMinMs"), limit("heartbeatMaxMs"));
  checkOrder(limit("pageBytesMin"), limit("pageBytesMax"));
  checkOrder(limit("recordBytes"), limit("batchBytes"));
  checkOrder(limit("batchBytes"), { name: "receive-bytes", value: number("receive-bytes") });
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

/** The topics must differ: the topic of features is keyed, so a note would replace the feature at its place. */
function readRouteGuide(features: string, notes: string): RouteGuideTopics {
  if (features === notes) {
    throw new SettingError(`--route-guide-notes: must not be the topic of the features, ${JSON.stringify(features)}`);
  }
  return { features: readTopic("route-guide-features", features), notes: readTopic("route-guide-notes", notes) };
}

/** A setting that bounds another one. */
interface Bound {
  readonly name: string;
  readonly value: number;
}

function checkOrder(low: Bound, high: Bound): void {
  if (low.value <= high.value) return;
  throw new SettingError(`--${low.name} (${low.value}) must not be above --${high.name} (${high.value})`);
}
