/**
 * The pages that a group read last: what is redelivered soon after it was delivered is found here, and not read again.
 * Bounded in bytes; what was pushed out is read from the database. Pages ascend: where a group begins to read anew below,
 * as after a Seek, those before are forgotten.
 */

import type { OffsetRange } from "../../../core/index.js";
import { copiedFrames, type RunFrames } from "./record-run.js";

/** What a page takes in memory beside its bytes, measured: at the end of a topic a page may be one small record. */
const pageOverheadBytes = 450;

/** A page as it was read, with records from `firstOffset` on. */
export interface RecentPage {
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
    if (firstOffset < (this.#pages.at(-1)?.firstOffset ?? 0)) this.clear();
    const added = { firstOffset, page, ends };
    this.#pages.push(added);
    this.#bytes += bytesOf(added);
    while (this.#bytes > this.bytesMax) this.#drop();
  }

  /** A copy of a run's frames; undefined: they are not all in one page here. */
  find({ firstOffset, nextOffset }: OffsetRange): RunFrames | undefined {
    let low = 0;
    let high = this.#pages.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pages[middle] as RecentPage).firstOffset <= firstOffset) low = middle + 1;
      else high = middle;
    }
    const found = this.#pages[low - 1];
    if (found === undefined || nextOffset > found.firstOffset + found.ends.length) return undefined;
    const { page, ends } = found;
    return copiedFrames({ page, ends, at: firstOffset - found.firstOffset }, nextOffset - firstOffset);
  }

  clear(): void {
    this.#pages = [];
    this.#bytes = 0;
  }

  #drop(): void {
    const dropped = this.#pages.shift();
    if (dropped !== undefined) this.#bytes -= bytesOf(dropped);
  }
}

function bytesOf({ page, ends }: RecentPage): number {
  return page.length + ends.byteLength + pageOverheadBytes;
}
