/** A `google.protobuf.Duration` that is not negative: seconds, and the nanoseconds after them. */
export interface Duration {
  readonly seconds: number;
  /** 0 to 999 999 999. */
  readonly nanos: number;
}

/** Rounds to the microsecond, the unit of lifetimes and ages. */
export function durationOfMs(ms: number): Duration {
  const micros = Math.round(ms * 1000);
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds, nanos: (micros - seconds * 1_000_000) * 1000 };
}

/** Rounded up to the microsecond. */
export function msOfDuration({ seconds, nanos }: Duration): number {
  return (seconds * 1_000_000 + Math.ceil(nanos / 1000)) / 1000;
}

/** As in proto3 JSON: seconds with no, three, six or nine decimals, and an `s`. */
export function durationText({ seconds, nanos }: Duration): string {
  if (nanos === 0) return `${seconds}s`;
  const digits = String(nanos).padStart(9, "0");
  return `${seconds}.${digits.replace(/^(\d{3})(?:000000)$|^(\d{6})(?:000)$/, "$1$2")}s`;
}

/** Reads a duration of proto3 JSON, to the nanosecond. Undefined when the text is not one, or is negative. */
export function durationOfText(text: string): Duration | undefined {
  const [, seconds, fraction = ""] = /^(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text) ?? [];
  return seconds === undefined ? undefined : { seconds: Number(seconds), nanos: Number(fraction.padEnd(9, "0")) };
}
