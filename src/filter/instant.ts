/** Times and spans of time, to the nanosecond. */

import { type Timestamp, timestampOfText, timestampText } from "../wire/index.js";

/** A time counts from 1970. Nanoseconds are 0 to 999 999 999 and go forward, also below 0. */
export class Instant {
  readonly seconds: number;
  readonly nanos: number;

  constructor(seconds: number, nanos: number) {
    this.seconds = seconds;
    this.nanos = nanos;
  }
}

/** The years 1 to 9999, as CEL and Protobuf have it. */
const secondsLeast = -62_135_596_800;
const secondsMost = 253_402_300_799;
/** The longest span between two such times. */
const spanMost = secondsMost - secondsLeast;

export function instantOf({ seconds, nanos }: Timestamp): Instant {
  return new Instant(seconds, nanos);
}

export function instantOfMicros(micros: number): Instant {
  const seconds = Math.floor(micros / 1_000_000);
  return new Instant(seconds, (micros - seconds * 1_000_000) * 1000);
}

/** Below 0, 0, or above. */
export function order(left: Instant, right: Instant): number {
  return left.seconds - right.seconds || left.nanos - right.nanos;
}

/** Undefined: beyond the years 1 to 9999. */
export function timeOf(seconds: number, nanos: number): Instant | undefined {
  const time = normal(seconds, nanos);
  return time.seconds >= secondsLeast && time.seconds <= secondsMost ? time : undefined;
}

/** Undefined: longer than from the year 1 to 9999. */
export function spanOf(seconds: number, nanos: number): Instant | undefined {
  const span = normal(seconds, nanos);
  return Math.abs(span.seconds) <= spanMost ? span : undefined;
}

function normal(seconds: number, nanos: number): Instant {
  const carry = Math.floor(nanos / 1e9);
  return new Instant(seconds + carry, nanos - carry * 1e9);
}

/** RFC 3339: a day, a time of day and a zone. */
export function timeOfText(text: string): Instant | undefined {
  // A day alone, which `--from` takes, is no time in CEL.
  if (text.length < 20) return undefined;
  const time = timestampOfText(text);
  return time && timeOf(time.seconds, time.nanos);
}

export function textOfTime(time: Instant): string {
  return timestampText(time);
}

const unitNanos: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** "1h30m", "-1.5s", "250ms", as Go writes them. */
export function spanOfText(text: string): Instant | undefined {
  if (text.length > 64) return undefined;
  const [, sign, terms = ""] = /^([+-]?)((?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text) ?? [];
  if (text === "0") return new Instant(0, 0);
  if (sign === undefined) return undefined;
  let nanos = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of terms.matchAll(/(\d+)(?:\.(\d*))?([a-zµμ]+)/g)) {
    const scale = BigInt(unitNanos[unit] ?? 0);
    nanos += BigInt(whole) * scale;
    if (fraction !== "") nanos += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  if (sign === "-") nanos = -nanos;
  const remainder = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (nanos - remainder) / 1_000_000_000n;
  return seconds > -(10n ** 13n) && seconds < 10n ** 13n ? spanOf(Number(seconds), Number(remainder)) : undefined;
}
