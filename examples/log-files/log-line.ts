/** A line of a log file: `2026-06-01T00:00:01.000Z ERROR app payment 17 refused`. */

export const levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;

export type Level = (typeof levels)[number];

export interface LogLine {
  readonly time: Date;
  readonly level: Level;
  readonly source: string;
  readonly message: string;
}

/** A line that is not from a log. */
export class NotALogLine extends Error {}

const shape = /^(\S+) ([A-Z]+) (\S+) (.+)$/;

export function parseLine(text: string): LogLine {
  const [, time = "", name, source = "", message = ""] = shape.exec(text) ?? [];
  const level = levels.find((each) => each === name);
  if (level === undefined || Number.isNaN(Date.parse(time))) throw new NotALogLine(text.slice(0, 100));
  return { time: new Date(time), level, source: source.slice(0, 40), message };
}

export function isError({ level }: LogLine): boolean {
  return level === "ERROR" || level === "CRITICAL";
}

/** The kind of an error: the beginning of its text, without the parts that vary. */
export function kindOf({ message }: LogLine): string {
  return message.slice(0, 100).replaceAll(/\d+/g, "#");
}
