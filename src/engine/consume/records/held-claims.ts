/** The claims that a node holds for a group: what it may hand out, and how far its consumers are. */

import type { OffsetRange } from "../../../core/index.js";
import type { Claim } from "./claim.js";
import type { AskedRange } from "./held-runs.js";

export class HeldClaims {
  readonly #claims = new Map<number, Claim>();
  /** The lowest unsettled offset when it was last searched. It holds while its claim begins there: claims only shrink. */
  #lowest: { readonly claim: Claim; readonly offset: number } | undefined;

  get size(): number {
    return this.#claims.size;
  }

  has(claimId: number): boolean {
    return this.#claims.has(claimId);
  }

  /** Whether it is this very claim: one that was lost and taken again is another, with the same id. */
  holds(claim: Claim): boolean {
    return this.#claims.get(claim.claimId) === claim;
  }

  [Symbol.iterator](): Iterator<Claim> {
    return this.#claims.values();
  }

  add(claim: Claim): void {
    this.#claims.set(claim.claimId, claim);
    const { first } = claim.todo;
    const isLowest = this.#lowest !== undefined && first !== undefined && first < this.#lowest.offset;
    if (isLowest && claim.kind !== "redriven") this.#lowest = { claim, offset: first };
  }

  delete(claim: Claim): void {
    this.#claims.delete(claim.claimId);
  }

  /** The lowest unsettled offset, as far as this node knows; Infinity: none. Redriven records do not count. */
  get lowestOffset(): number {
    const known = this.#lowest;
    if (known !== undefined && this.holds(known.claim) && known.claim.todo.first === known.offset) return known.offset;
    this.#lowest = undefined;
    for (const claim of this.#claims.values()) {
      const { first } = claim.todo;
      if (claim.kind === "redriven" || first === undefined) continue;
      if (first < (this.#lowest?.offset ?? Number.POSITIVE_INFINITY)) this.#lowest = { claim, offset: first };
    }
    return this.#lowest?.offset ?? Number.POSITIVE_INFINITY;
  }

  /** The lowest offset that was not read from the topic; Infinity: none. */
  get lowestUnread(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { unread } of this.#claims.values()) lowest = Math.min(lowest, unread.first ?? lowest);
    return lowest;
  }

  /**
   * Takes out what a Commit settled: so a record that its consumer released before is not handed out any more. `ranges`
   * ascend and lie apart. An attempt from before a Seek settles nothing: the record is replayed.
   */
  settle(ranges: readonly AskedRange[]): void {
    for (const { todo, attemptsBefore } of this.#claims.values()) {
      // Most claims have none of the offsets, and there may be thousands of claims and of ranges.
      for (let index = indexFrom(ranges, todo.first ?? Infinity); index < ranges.length; index++) {
        const { firstOffset, nextOffset, attempt } = ranges[index] as AskedRange;
        if (firstOffset >= todo.next) break;
        if (attempt > attemptsBefore) todo.delete(firstOffset, nextOffset);
      }
    }
  }
}

/** The index of the first range that ends above an offset. */
function indexFrom(ranges: readonly OffsetRange[], offset: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] as OffsetRange).nextOffset <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
