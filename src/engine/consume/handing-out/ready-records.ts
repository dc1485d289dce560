/** Runs that wait for a consumer with room. Implementations differ in who gets which. */

import type { Claim } from "../records/claim.js";
import type { Consumer } from "./consumer.js";
import type { ReadyRun, RecordRun } from "../records/record-run.js";

export interface ReadyRecords {
  /** How many records wait, whether or not a consumer may have them now. */
  readonly count: number;
  /** How many of them are redelivered. */
  readonly redeliveryCount: number;
  /** Their memory, in bytes. */
  readonly bytes: number;
  /** Adds a run that was just read. Runs are added in the order of their offsets. */
  add(run: ReadyRun): void;
  /** Adds a run that is redelivered. */
  addRedelivery(run: ReadyRun): void;
  /** The next run for a consumer; undefined: there is none now. `redeliveriesOnly`: no runs that were never handed out. */
  peek(consumer: Consumer, redeliveriesOnly: boolean): ReadyRun | undefined;
  /** Takes out the first `count` records of the run that the last `peek` for this consumer gave. */
  take(consumer: Consumer, run: ReadyRun, count: number): ReadyRun;
  /** A run that was taken is settled for good. */
  settled(run: RecordRun): void;
  /** A run that was taken is to be redelivered. `late`: the consumer that let its deadline pass. */
  failed(run: RecordRun, late: Consumer | undefined): void;
  /** A run waits for redelivery that this node never handed out: it failed before the node had its claim. */
  hold(run: RecordRun): void;
  /** A run that waited for redelivery is not redelivered: it was settled, or is not kept any more. */
  release(run: RecordRun): void;
  /** Drops all runs of a claim. */
  drop(claim: Claim): void;
  /** Spreads keys over these consumers. False: they are the same as before, or there are no keys to spread. */
  share(consumers: readonly Consumer[]): boolean;
  clear(): void;
}
