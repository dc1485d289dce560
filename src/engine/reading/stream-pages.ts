import type { PageAllowance, PageBudget, PageGrant } from "./page-allowance.js";

/** The room for the pages of one stream: taken before a page is read, and given back when it was delivered. */
export class StreamPages {
  readonly #allowance: PageAllowance;
  #grant: PageGrant | undefined;
  #bytes = 0;

  constructor(budget: PageBudget) {
    this.#allowance = budget.forStream();
  }

  /** How many bytes the next page may have. */
  take(): number {
    this.#grant ??= this.#allowance.take();
    return this.#grant.bytes;
  }

  /** So many bytes of it were read. */
  taken(bytes: number): void {
    this.#bytes = bytes;
  }

  /** They have gone; larger pages are earned by that. */
  delivered(): void {
    this.#allowance.delivered(this.#bytes);
    this.release();
  }

  release(): void {
    this.#bytes = 0;
    this.#grant?.release();
    this.#grant = undefined;
  }
}
