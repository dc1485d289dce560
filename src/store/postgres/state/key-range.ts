import { recordBounds } from "../../../core/index.js";

/** The keys with a prefix are a range of an index that compares by bytes. */
export interface KeyRange {
  readonly fromKey: string;
  /** Whether to leave out `fromKey` itself. */
  readonly isExclusive: boolean;
  /** Exclusive. */
  readonly toKey: string;
}

/** The keys that begin with `prefix`; with `after`, only those above it. */
export function keyRange(prefix: string, after: string | undefined): KeyRange {
  // By bytes, as the database compares. UTF-16 has another order.
  const isBehind = after !== undefined && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0;
  return { fromKey: isBehind ? after : prefix, isExclusive: isBehind, toKey: upperBound(prefix) };
}

/** Above every key: a key has at most 1024 bytes. */
const aboveAll = "\u{10ffff}".repeat(recordBounds.keyBytes / 4 + 1);

/** The first text above every key with this prefix. */
function upperBound(prefix: string): string {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last >= 0x10ffff) continue;
    // UTF-8 has no surrogates.
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return aboveAll;
}
