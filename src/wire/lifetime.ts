/**
 * Lifetimes: from when on a record is of no use any more. It is left out of what readers get, as if a filter had done it,
 * and its offset stays.
 */

import { StoredRecord } from "./stored-record.js";
import type { KeepFrame } from "./thin-page.js";

/** One for all readers: one of its own would keep a reader's last page in memory while it waits. */
const record = new StoredRecord();

/** Lets through what has not expired at this time, in microseconds since 1970. */
export function unexpiredAt(nowMicros: number): KeepFrame {
  return (bytes, start, end) => {
    const { expiryMicros } = record.walk(bytes, start, end);
    return expiryMicros === undefined || expiryMicros > nowMicros;
  };
}
