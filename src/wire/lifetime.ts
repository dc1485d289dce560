/**
 * Lifetimes. Once a record's lifetime has ended, readers no longer get it, as if a filter did not match it. Its offset
 * stays.
 */

import { StoredRecord } from "./stored-record.js";
import type { KeepFrame } from "./thin-page.js";

/** Shared by all readers: with one each, a waiting reader would keep its last page in memory. */
const record = new StoredRecord();

/** Keeps the records whose lifetime has not ended at `nowMicros`, in microseconds since 1970. */
export function unexpiredAt(nowMicros: number): KeepFrame {
  return (bytes, start, end) => {
    const { expiryMicros } = record.walk(bytes, start, end);
    return expiryMicros === undefined || expiryMicros > nowMicros;
  };
}
