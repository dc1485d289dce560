/**
 * The pages that a group read last. A record that is redelivered soon after its delivery is found here, which saves reading
 * it from the database. The bytes of the pages have a bound. The pages ascend: where a group reads on from a lower offset,
 * as after a Seek, all earlier pages are forgotten.
 */

import type { OffsetRange } from "../../../core/index.js";
import { copiedFrames, type RunFrames } from "./record-run.js";

/** Memory of a page beside its bytes, measured. It counts: at the end of a topic a page may be one small record. */
const pageOverheadBytes = 450;

/** A page as it was read. */
export interface RecentPage {
  readonly firstOffset: number;
  readonly page: Uint8Array;
  /** Where each record of the page ends. */
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

  /** A copy of the frames of a run; undefined: no page has all of them. */
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
