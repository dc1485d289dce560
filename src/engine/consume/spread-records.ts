/** SHARED and EXCLUSIVE: whoever has room gets what comes next. What is redelivered goes first. */

import { Queue } from "../../streams/index.js";
import type { Claim } from "./claim.js";
import type { Consumer } from "./consumer.js";
import type { ReadyRecords } from "./ready-records.js";
import { bytesOfFrames, cutFront, type ReadyRun, recordsIn } from "./record-run.js";

export class SpreadRecords implements ReadyRecords {
  readonly #redeliveries = new Queue<ReadyRun>();
  readonly #fresh = new Queue<ReadyRun>();
  #count = 0;
  #redeliveryCount = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  get redeliveryCount(): number {
    return this.#redeliveryCount;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(run: ReadyRun): void {
    this.#fresh.push(run);
    this.#grow(run);
  }

  addRedelivery(run: ReadyRun): void {
    this.#redeliveries.push(run);
    this.#redeliveryCount += recordsIn(run);
    this.#grow(run);
  }

  peek(_consumer: Consumer, redeliveriesOnly: boolean): ReadyRun | undefined {
    return this.#redeliveries.at(0) ?? (redeliveriesOnly ? undefined : this.#fresh.at(0));
  }

  take(_consumer: Consumer, run: ReadyRun, count: number): ReadyRun {
    const isRedelivery = this.#redeliveries.at(0) === run;
    let taken = run;
    if (count < recordsIn(run)) taken = cutFront(run, count);
    else if (isRedelivery) this.#redeliveries.shift();
    else this.#fresh.shift();
    if (isRedelivery) this.#redeliveryCount -= count;
    this.#count -= count;
    this.#bytes -= bytesOfFrames(taken);
    return taken;
  }

  // No run waits for another here.
  settled(): void {}
  failed(): void {}
  hold(): void {}
  release(): void {}

  drop(claim: Claim): void {
    for (const queue of [this.#redeliveries, this.#fresh]) {
      for (let left = queue.length; left > 0; left--) {
        const run = queue.shift() as ReadyRun;
        if (run.claim !== claim) {
          queue.push(run);
          continue;
        }
        if (queue === this.#redeliveries) this.#redeliveryCount -= recordsIn(run);
        this.#count -= recordsIn(run);
        this.#bytes -= bytesOfFrames(run);
      }
    }
  }

  // Whoever asks gets the next one.
  share(): void {}

  clear(): void {
    this.#redeliveries.clear();
    this.#fresh.clear();
    this.#count = 0;
    this.#redeliveryCount = 0;
    this.#bytes = 0;
  }

  #grow(run: ReadyRun): void {
    this.#count += recordsIn(run);
    this.#bytes += bytesOfFrames(run);
  }
}
