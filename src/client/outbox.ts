import { Watch } from "../streams/index.js";
import type { OutgoingBatch } from "./outgoing-batch.js";

/** The server remembers the last 64 sequences of a producer, so at most 64 batches may be unacknowledged. */
const outstandingMax = 64;

/**
 * Holds batches by their sequence, from when they are complete until they are acknowledged.
 *
 *   acknowledged ≤ sent ≤ sealed; a lost connection sets `sent` back to `acknowledged`.
 */
export class Outbox {
  readonly #batches = new Map<number, OutgoingBatch>();
  /** Counts changes of the outbox. */
  readonly #changes = new Watch<number>(0);
  #acknowledged = 0;
  #sent = 0;
  #sealed = 0;
  /** Batches below this sequence may have been sent on an earlier call. */
  #sentBefore = 0;

  /** The sequence of the first unacknowledged batch. */
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

  push(batch: OutgoingBatch): void {
    this.#batches.set(this.#sealed, batch);
    this.#sealed += 1;
    this.touch();
  }

  /** Takes the next batch to send, if there is one and fewer than 64 are unacknowledged. */
  takeNext(): { readonly sequence: number; readonly batch: OutgoingBatch } | undefined {
    if (this.#sent - this.#acknowledged >= outstandingMax) return undefined;
    const batch = this.#batches.get(this.#sent);
    if (batch === undefined) return undefined;
    const sequence = this.#sent;
    this.#sent += 1;
    return { sequence, batch };
  }

  /** Marks all unacknowledged batches to be sent again, in order. */
  rewind(): void {
    this.#sentBefore = Math.max(this.#sentBefore, this.#sent);
    this.#sent = this.#acknowledged;
  }

  /**
   * Takes out the oldest sent batch; `mayRepeat` if an earlier call may have sent it, too. Undefined when none was
   * sent: the server answered a request that was never made.
   */
  acknowledge(): { readonly batch: OutgoingBatch; readonly mayRepeat: boolean } | undefined {
    if (this.#acknowledged === this.#sent) return undefined;
    const batch = this.#batches.get(this.#acknowledged);
    if (batch === undefined) return undefined;
    const mayRepeat = this.#acknowledged < this.#sentBefore;
    this.#batches.delete(this.#acknowledged);
    this.#acknowledged += 1;
    this.touch();
    return { batch, mayRepeat };
  }

  /** Takes all batches out, oldest first. */
  drain(): OutgoingBatch[] {
    const batches = [...this.#batches.values()];
    this.#batches.clear();
    this.#acknowledged = this.#sent = this.#sealed;
    this.touch();
    return batches;
  }

  /** Wakes all waiters. */
  touch(): void {
    this.#changes.set(this.#changes.value + 1);
  }

  async change(signal: AbortSignal): Promise<void> {
    await this.#changes.changed(this.#changes.version, { signal });
  }
}
