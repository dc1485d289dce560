import { Watch } from "../streams/index.js";
import type { RecordBatch } from "./record-batch.js";

/** The server remembers the last 64 sequences of a producer, so no more may be without an answer. */
const outstandingMax = 64;

/**
 * Batches from when they are complete until they are acknowledged, by their sequence.
 *
 *   acknowledged ≤ sent ≤ sealed; a lost connection sets `sent` back to `acknowledged`.
 */
export class Outbox {
  readonly #batches = new Map<number, RecordBatch>();
  /** Moves whenever something here changed. */
  readonly #changes = new Watch<number>(0);
  #acknowledged = 0;
  #sent = 0;
  #sealed = 0;
  /** Batches below it may have been sent before. */
  #sentBefore = 0;

  /** The sequence of the first batch without an acknowledgement. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The sequence that the next batch will get. */
  get sealed(): number {
    return this.#sealed;
  }

  get isEmpty(): boolean {
    return this.#acknowledged === this.#sealed;
  }

  push(batch: RecordBatch): void {
    this.#batches.set(this.#sealed, batch);
    this.#sealed += 1;
    this.touch();
  }

  /** Takes the next batch to send, if there is one and not too many wait for their answer. */
  takeNext(): { readonly sequence: number; readonly batch: RecordBatch } | undefined {
    if (this.#sent - this.#acknowledged >= outstandingMax) return undefined;
    const batch = this.#batches.get(this.#sent);
    if (batch === undefined) return undefined;
    const sequence = this.#sent;
    this.#sent += 1;
    return { sequence, batch };
  }

  /** All that has no answer is to be sent again, in order. */
  rewind(): void {
    this.#sentBefore = Math.max(this.#sentBefore, this.#sent);
    this.#sent = this.#acknowledged;
  }

  /**
   * The oldest batch that was sent is done, and `mayRepeat` if it was sent before. Undefined when none was sent: an answer
   * to nothing.
   */
  acknowledge(): { readonly batch: RecordBatch; readonly mayRepeat: boolean } | undefined {
    if (this.#acknowledged === this.#sent) return undefined;
    const batch = this.#batches.get(this.#acknowledged);
    if (batch === undefined) return undefined;
    const mayRepeat = this.#acknowledged < this.#sentBefore;
    this.#batches.delete(this.#acknowledged);
    this.#acknowledged += 1;
    this.touch();
    return { batch, mayRepeat };
  }

  /** Takes everything out, oldest first. */
  drain(): RecordBatch[] {
    const batches = [...this.#batches.values()];
    this.#batches.clear();
    this.#acknowledged = this.#sent = this.#sealed;
    this.touch();
    return batches;
  }

  /** Tells those who wait to look again. */
  touch(): void {
    this.#changes.set(this.#changes.value + 1);
  }

  /** Waits for the next change. */
  async change(signal: AbortSignal): Promise<void> {
    await this.#changes.changed(this.#changes.version, { signal });
  }
}
