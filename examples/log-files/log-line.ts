/** A line of a log file: `2026-06-01T00:00:01.000Z ERROR app payment 17 refused`. */

export const levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;

export type Level = (typeof levels)[number];

export interface LogLine {
  readonly time: Date;
  readonly level: Level;
  readonly source: string;
  readonly message: string;
}

const shape = /^(\S+) ([A-Z]+) (\S+) (.+)$/;

/** Throws for a line that is none. */
export function parseLine(text: string): LogLine {
  const [, time = "", name, source = "", message = ""] = shape.exec(text) ?? [];
  const level = levels.find((each) => each === name);
  if (level === undefined || Number.isNaN(Date.parse(time))) throw new Error(`Not a line of a log: ${text}`);
  return { time: new Date(time), level, source, message };
}

export function isError({ level }: LogLine): boolean {
  return level === "ERROR" || level === "CRITICAL";
}

/** Which error a message is: its text without what changes from one to the next. */
export function kindOf({ message }: LogLine): string {
  return message.replaceAll(/\d+/g, "#");
}

/** The lines of one made-up file, always the same; every hundredth is broken. */
export function* sampleLines(file: number, count: number): Generator<string, void> {
  const sources = ["app", "web", "db"];
  for (let number = 0; number < count; number += 1) {
    const level = levels[(number * 7 + file) % 11 < 7 ? 1 : (number + file) % levels.length] ?? "INFO";
    const time = new Date(Date.UTC(2026, 5, 1, file % 24, 0, number)).toISOString();
    const source = sources[(number + file) % sources.length] ?? "app";
    yield number % 100 === 99
      ? `${time} ${level}`
      : `${time} ${level} ${source} request ${number} took ${number % 900} ms`;
  }
}
