/** `google.protobuf.Timestamp`: seconds since 1970, and the nanoseconds after them. */
export interface Timestamp {
  readonly seconds: number;
  /** 0 to 999 999 999. They count forward in time, before 1970 too. */
  readonly nanos: number;
}

export function timestampOfMicros(micros: number): Timestamp {
  const seconds = Math.floor(micros / 1_000_000);
  return { seconds, nanos: (micros - seconds * 1_000_000) * 1000 };
}

export function timestampOfDate(date: Date): Timestamp {
  const ms = date.getTime();
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: (ms - seconds * 1000) * 1_000_000 };
}

/** Cut to milliseconds, which is all that a Date holds. */
export function dateOfTimestamp({ seconds, nanos }: Timestamp): Date {
  return new Date(seconds * 1000 + Math.floor(nanos / 1_000_000));
}

/** As in proto3 JSON: RFC 3339 in UTC with no, three, six or nine digits of a second. */
export function timestampText({ seconds, nanos }: Timestamp): string {
  const upToSeconds = new Date(seconds * 1000).toISOString().slice(0, 19);
  if (nanos === 0) return `${upToSeconds}Z`;
  const digits = String(nanos).padStart(9, "0");
  if (digits.endsWith("000000")) return `${upToSeconds}.${digits.slice(0, 3)}Z`;
  if (digits.endsWith("000")) return `${upToSeconds}.${digits.slice(0, 6)}Z`;
  return `${upToSeconds}.${digits}Z`;
}

/** Reads RFC 3339 with up to nine digits of a second, or a date alone (midnight UTC). Undefined when it is neither. */
export function timestampOfText(text: string): Timestamp | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d))?$/.exec(text);
  if (match === null) return undefined;
  const [, date = "", clock = "00:00:00", fraction = "", zone = "Z"] = match;
  const ms = Date.parse(`${date}T${clock}${zone.toUpperCase()}`);
  // Date.parse takes the 30th of February for the 2nd of March.
  if (Number.isNaN(ms) || new Date(Date.parse(`${date}T00:00:00Z`)).toISOString().slice(0, 10) !== date)
    return undefined;
  return { seconds: ms / 1000, nanos: Number(fraction.padEnd(9, "0")) };
}
