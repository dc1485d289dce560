/**
 * SHARED and EXCLUSIVE: a consumer with room gets the next run. In SHARED, redelivered runs come first, by offset, and then
 * new ones; in EXCLUSIVE the lowest offset comes first.
 */

import { Queue } from "../../../streams/index.js";
import type { Claim } from "../records/claim.js";
import type { Consumer } from "./consumer.js";
import type { ReadyRecords } from "./ready-records.js";
import { bytesOfFrames, cutFront, type ReadyRun, recordsIn } from "../records/record-run.js";

export class SpreadRecords implements ReadyRecords {
  /** By offset. They are few: no more are brought than there is room for. */
  #redeliveries: ReadyRun[] = [];
  readonly #keepsOrder: boolean;
  readonly #fresh = new Queue<ReadyRun>();
  /** How many records of each claim are here. Most claims that are dropped have none, which costs no search. */
  readonly #records = new Map<Claim, number>();
  #count = 0;
  #redeliveryCount = 0;
  #bytes = 0;

  constructor(keepsOrder: boolean) {
    this.#keepsOrder = keepsOrder;
  }

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
    let at = this.#redeliveries.length;
    while (at > 0 && (this.#redeliveries[at - 1] as ReadyRun).firstOffset > run.firstOffset) at -= 1;
    this.#redeliveries.splice(at, 0, run);
    this.#redeliveryCount += recordsIn(run);
    this.#grow(run);
  }

  peek(_consumer: Consumer, redeliveriesOnly: boolean): ReadyRun | undefined {
    const [redelivery] = this.#redeliveries;
    if (redeliveriesOnly) return redelivery;
    const fresh = this.#fresh.at(0);
    const isFreshBefore = this.#keepsOrder && fresh !== undefined && fresh.firstOffset < (redelivery?.firstOffset ?? 0);
    return isFreshBefore ? fresh : (redelivery ?? fresh);
  }

  take(_consumer: Consumer, run: ReadyRun, count: number): ReadyRun {
    const isRedelivery = this.#redeliveries[0] === run;
    let taken = run;
    if (count < recordsIn(run)) taken = cutFront(run, count);
    else if (isRedelivery) this.#redeliveries.shift();
    else this.#fresh.shift();
    if (isRedelivery) this.#redeliveryCount -= count;
    this.#shrink(taken);
    return taken;
  }

  // No run waits for another here.
  settled(): void {}
  failed(): void {}
  hold(): void {}
  release(): void {}

  drop(claim: Claim): void {
    if (!this.#records.has(claim)) return;
    const dropped = this.#redeliveries.filter((run) => run.claim === claim);
    this.#redeliveries = this.#redeliveries.filter((run) => run.claim !== claim);
    for (const run of dropped) {
      this.#redeliveryCount -= recordsIn(run);
      this.#shrink(run);
    }
    for (let left = this.#fresh.length; left > 0; left--) {
      const run = this.#fresh.shift() as ReadyRun;
      if (run.claim === claim) this.#shrink(run);
      else this.#fresh.push(run);
    }
  }

  // The consumer that asks gets the next one.
  share(): boolean {
    return false;
  }

  clear(): void {
    this.#redeliveries = [];
    this.#fresh.clear();
    this.#records.clear();
    this.#count = 0;
    this.#redeliveryCount = 0;
    this.#bytes = 0;
  }

  #grow(run: ReadyRun): void {
    this.#records.set(run.claim, (this.#records.get(run.claim) ?? 0) + recordsIn(run));
    this.#count += recordsIn(run);
    this.#bytes += bytesOfFrames(run);
  }

  #shrink(run: ReadyRun): void {
    const left = (this.#records.get(run.claim) ?? 0) - recordsIn(run);
    if (left > 0) this.#records.set(run.claim, left);
    else this.#records.delete(run.claim);
    this.#count -= recordsIn(run);
    this.#bytes -= bytesOfFrames(run);
  }
}
