/** The consumers of a group on this node, and what concerns all of them. */

import type { Consumer } from "./consumer.js";

export class ConsumerSet {
  readonly #consumers = new Set<Consumer>();
  /** All were ended together: a consumer that joins later needs another group. */
  isOver = false;

  get size(): number {
    return this.#consumers.size;
  }

  [Symbol.iterator](): Iterator<Consumer> {
    return this.#consumers.values();
  }

  add(consumer: Consumer): void {
    this.#consumers.add(consumer);
  }

  /** False: it was not there. */
  delete(consumer: Consumer): boolean {
    return this.#consumers.delete(consumer);
  }

  /** How many take records, or may open their windows to take some: all but those that drain. */
  get staying(): number {
    let count = 0;
    for (const { isDraining } of this.#consumers) if (!isDraining) count += 1;
    return count;
  }

  /** Whether one takes records at all. */
  get hasOpen(): boolean {
    for (const { isOpen } of this.#consumers) if (isOpen) return true;
    return false;
  }

  /** Whether the window of one lets more records through now. */
  get hasRoom(): boolean {
    for (const { room } of this.#consumers) if (room > 0) return true;
    return false;
  }

  /** Whether one has records. */
  get hasOutstanding(): boolean {
    for (const { held } of this.#consumers) if (held.records > 0) return true;
    return false;
  }

  /** The records of all windows together. */
  get windowRecords(): number {
    let records = 0;
    for (const { window } of this.#consumers) records += window.records;
    return records;
  }

  wakeAll(): void {
    for (const consumer of this.#consumers) consumer.wake();
  }

  wakeThoseWithRoom(): void {
    for (const consumer of this.#consumers) if (consumer.room > 0) consumer.wake();
  }

  tellSkipped(firstOffset: number, nextOffset: number): void {
    for (const consumer of this.#consumers) consumer.tell({ kind: "skipped", firstOffset, nextOffset });
  }

  /** Ends all consumers, and with them the group. */
  failAll(error: Error): void {
    this.isOver = true;
    for (const consumer of this.#consumers) consumer.fail(error);
  }
}
