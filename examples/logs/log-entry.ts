/** A line of a log: the JSON body of a record. */

import type { JsonObject, RecordInput } from "millrace";

export const levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;

export type Level = (typeof levels)[number];

export interface LogEntry {
  readonly time: Date;
  readonly level: Level;
  readonly source: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Whether an entry is at least as severe as `level`. */
export function isAtLeast(level: Level, entry: LogEntry): boolean {
  return levels.indexOf(entry.level) >= levels.indexOf(level);
}

export function recordOf(entry: LogEntry): RecordInput {
  return { key: entry.source, json: { ...entry, time: entry.time.toISOString() } };
}

/** Decodes an entry. Undefined: the body is not an entry. */
export function entryOf(json: JsonObject | undefined): LogEntry | undefined {
  if (json === undefined) return undefined;
  const { time, level, source, message, metadata } = json;
  if (typeof time !== "string" || typeof source !== "string" || typeof message !== "string") return undefined;
  const known = levels.find((each) => each === level);
  if (known === undefined || typeof metadata !== "object" || metadata === null) return undefined;
  return { time: new Date(time), level: known, source, message, metadata: metadata as Record<string, string> };
}
