/**
 * The pages that a group read last: what is redelivered soon after it was delivered is found here, and not read again.
 * Bounded in bytes; what was pushed out is read from the database.
 */

import type { OffsetRange } from "../../core/index.js";
import { copiedFrames, type RunFrames } from "./record-run.js";

/** A page as it was read, with records from `firstOffset` on. */
interface RecentPage {
  readonly firstOffset: number;
  readonly page: Uint8Array;
  readonly ends: Uint32Array;
}

export class RecentFrames {
  #pages: RecentPage[] = [];
  #bytes = 0;
  readonly bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(firstOffset: number, page: Uint8Array, ends: Uint32Array): void {
    if (page.length > this.bytesMax) return;
    this.#pages.push({ firstOffset, page, ends });
    this.#bytes += page.length + ends.byteLength;
    while (this.#bytes > this.bytesMax) this.#drop();
  }

  /** A copy of a run's frames; undefined: they are not all in one page here. */
  find({ firstOffset, nextOffset }: OffsetRange): RunFrames | undefined {
    for (const { firstOffset: from, page, ends } of this.#pages) {
      if (firstOffset < from || nextOffset > from + ends.length) continue;
      return copiedFrames({ page, ends, at: firstOffset - from }, nextOffset - firstOffset);
    }
    return undefined;
  }

  clear(): void {
    this.#pages = [];
    this.#bytes = 0;
  }

  #drop(): void {
    const dropped = this.#pages.shift();
    if (dropped !== undefined) this.#bytes -= dropped.page.length + dropped.ends.byteLength;
  }
}
