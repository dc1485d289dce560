import type { PublishTotals } from "./publisher-options.js";
import type { BatchOutcome } from "./outgoing-batch.js";

/** Counts the records of one `publishAll` as their batches are acknowledged. A batch may hold other records, too. */
export class PublishedRecords {
  readonly #onAcknowledged: ((records: number) => void) | undefined;
  #records = 0;
  #firstOffset: number | undefined;
  #nextOffset: number | undefined;
  /** The batch that is being filled, and which of its records are counted here. */
  #outcome: BatchOutcome | undefined;
  #part = { first: 0, next: 0, records: 0 };
  /** Settles when the last batch is counted: batches are acknowledged in order. */
  #counted: Promise<void> = Promise.resolve();

  constructor(onAcknowledged: ((records: number) => void) | undefined) {
    this.#onAcknowledged = onAcknowledged;
  }

  /** Counts the record that was just added to a batch. */
  add(outcome: BatchOutcome): void {
    if (outcome !== this.#outcome) {
      const part = { first: outcome.records - 1, next: 0, records: 0 };
      this.#outcome = outcome;
      this.#part = part;
      const before = this.#counted;
      this.#counted = outcome.settled.then(
        // If the listener has thrown, `totals` rejects, and later batches are not counted.
        ({ offset }) => before.then(() => this.#count(part, offset)),
        // `flush` reports why a batch failed.
        () => before,
      );
      this.#counted.catch(() => {});
    }
    this.#part.records += 1;
    this.#part.next = outcome.records;
  }

  /** Resolves once the last batch is acknowledged. */
  async totals(): Promise<PublishTotals> {
    await this.#counted;
    return { records: this.#records, firstOffset: this.#firstOffset, nextOffset: this.#nextOffset };
  }

  #count({ first, next, records }: { first: number; next: number; records: number }, offset: number): void {
    this.#firstOffset ??= offset + first;
    this.#nextOffset = offset + next;
    this.#records += records;
    this.#onAcknowledged?.(this.#records);
  }
}
