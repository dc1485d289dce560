/** A sensor's reading: a line of JSON, checked and converted to one unit. */

export interface Reading {
  readonly sensor: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly celsius: number;
}

const toCelsius = {
  C: (value: number) => value,
  F: (value: number) => ((value - 32) * 5) / 9,
  K: (value: number) => value - 273.15,
} as const;

/** A line that is not a reading; its message is one of a few reasons. */
export class InvalidReading extends Error {}

/** Reads a line. Throws what is wrong with it. */
export function parseReading(line: string): Reading {
  const { sensor, time, value, unit } = parseObject(line);
  if (typeof sensor !== "string" || sensor === "") throw new InvalidReading("no sensor");
  const at = typeof time === "string" ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(at)) throw new InvalidReading("no time");
  if (typeof value !== "number") throw new InvalidReading("no value");
  if (unit !== "C" && unit !== "F" && unit !== "K") throw new InvalidReading("unknown unit");
  const celsius = toCelsius[unit](value);
  if (celsius < -90 || celsius > 60) throw new InvalidReading("no temperature on Earth");
  return { sensor, time: at, celsius };
}

function parseObject(line: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new InvalidReading("not JSON");
  }
  if (typeof parsed !== "object" || parsed === null) throw new InvalidReading("not an object");
  return parsed as Record<string, unknown>;
}

/** A day's weather of three sensors, one reading a second each, some of them broken or late: always the same. */
export function* sampleLines(seconds: number): Generator<string, void> {
  const start = Date.parse("2026-06-01T00:00:00Z");
  for (let second = 0; second < seconds; second += 1) {
    for (const [index, sensor] of ["roof", "cellar", "pond"].entries()) {
      const celsius = 10 + index * 5 + Math.sin(second / 600 + index) * 8;
      const isLate = second % 97 === 96;
      const time = new Date(start + (isLate ? second - 90 : second) * 1000).toISOString();
      if (second % 50 === 49) yield `{"sensor":"${sensor}","time":"${time}"`;
      else if (second % 71 === 70) yield JSON.stringify({ sensor, time, value: 999, unit: "C" });
      else if (index === 1) yield JSON.stringify({ sensor, time, value: celsius * 1.8 + 32, unit: "F" });
      else yield JSON.stringify({ sensor, time, value: celsius, unit: "C" });
    }
  }
}
