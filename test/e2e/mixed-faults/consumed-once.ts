/** Checks the deliveries and verdicts of one subscription's consumers against its promises. */

import { expect } from "vitest";
import type { ReceivedRecord, Sharing } from "../../../src/index.js";

/** The text of each record is its offset, and its key is the offset modulo `keys`. */
export class ConsumedOnce {
  readonly sharing: Sharing;
  readonly #keys: number;
  readonly #acknowledged = new Set<number>();
  readonly #confirmed = new Set<number>();
  /** For each key, the first offset that nobody acknowledged. */
  readonly #open: number[];
  handed = 0;

  constructor(sharing: Sharing, keys: number) {
    this.sharing = sharing;
    this.#keys = keys;
    this.#open = Array.from({ length: keys }, (_, key) => key);
  }

  get confirmed(): number {
    return this.#confirmed.size;
  }

  /** A consumer receives a record. Returns what is wrong with that. */
  hand({ offset, text }: ReceivedRecord): string | undefined {
    this.handed += 1;
    const of = `Record ${offset} of the ${this.sharing} subscription`;
    if (text !== `${offset}`) return `${of} came as ${text}`;
    if (this.#confirmed.has(offset)) return `${of} came again after its confirmation`;
    if (this.sharing !== "keyed") return undefined;
    const key = offset % this.#keys;
    let open = this.#open[key] ?? 0;
    while (this.#acknowledged.has(open)) open += this.#keys;
    this.#open[key] = open;
    return open < offset ? `${of} came before ${open} of its key was acknowledged` : undefined;
  }

  acknowledge(offset: number): void {
    this.#acknowledged.add(offset);
  }

  confirm(offset: number, outcome: "acknowledged" | "stale"): void {
    if (outcome === "acknowledged") this.#confirmed.add(offset);
  }

  /** Checks that every record below this offset was acknowledged; the confirmation may have been lost. */
  check(nextOffset: number): void {
    const missing = Array.from({ length: nextOffset }, (_, offset) => offset);
    const never = missing.filter((offset) => !this.#acknowledged.has(offset));
    expect(never.slice(0, 10), `of the ${this.sharing} subscription, without an acknowledgement`).toEqual([]);
  }
}
