/** SHARED and EXCLUSIVE: whoever has room gets what comes next. What is handed out again goes first. */

import { Queue } from "../../streams/index.js";
import type { Claim } from "./claim.js";
import type { Consumer } from "./consumer.js";
import type { HeldRecord } from "./held-record.js";
import type { ReadyRecords } from "./ready-records.js";

/** A slot takes eight bytes. */
const keptSlots = 8192;

export class SpreadRecords implements ReadyRecords {
  readonly #again = new Queue<HeldRecord>();
  /** It is filled and emptied with every page: what it has grown to it keeps. */
  readonly #fresh = new Queue<HeldRecord>(keptSlots);
  #bytes = 0;

  get count(): number {
    return this.#again.length + this.#fresh.length;
  }

  get againCount(): number {
    return this.#again.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(record: HeldRecord): void {
    this.#fresh.push(record);
    this.#bytes += record.end - record.start;
  }

  addAgain(record: HeldRecord): void {
    this.#again.push(record);
    this.#bytes += record.end - record.start;
  }

  peek(_consumer: Consumer, againOnly: boolean): HeldRecord | undefined {
    return this.#again.at(0) ?? (againOnly ? undefined : this.#fresh.at(0));
  }

  take(_consumer: Consumer, record: HeldRecord): void {
    if (this.#again.at(0) === record) this.#again.shift();
    else this.#fresh.shift();
    this.#bytes -= record.end - record.start;
  }

  // Nobody waits for a record here.
  settled(): void {}
  failed(): void {}
  hold(): void {}
  release(): void {}

  drop(claim: Claim): void {
    for (const queue of [this.#again, this.#fresh]) {
      for (let left = queue.length; left > 0; left--) {
        const record = queue.shift() as HeldRecord;
        if (record.claim === claim) this.#bytes -= record.end - record.start;
        else queue.push(record);
      }
    }
  }

  // Whoever asks gets the next one.
  share(): void {}

  clear(): void {
    this.#again.clear();
    this.#fresh.clear();
    this.#bytes = 0;
  }
}
