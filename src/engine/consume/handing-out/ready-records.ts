/** Runs that were read and wait for a consumer with room: how they are shared is what implementations differ in. */

import type { Claim } from "../records/claim.js";
import type { Consumer } from "./consumer.js";
import type { ReadyRun, RecordRun } from "../records/record-run.js";

export interface ReadyRecords {
  /** How many records wait, whether somebody may have them now or not. */
  readonly count: number;
  /** How many of them are redelivered. */
  readonly redeliveryCount: number;
  /** What they take in memory, in bytes. */
  readonly bytes: number;
  /** A run that was just read. They come in the order of offsets. */
  add(run: ReadyRun): void;
  /** A run that is redelivered. */
  addRedelivery(run: ReadyRun): void;
  /** The next run for a consumer. `redeliveriesOnly`: none that was never handed out. Undefined: there is none now. */
  peek(consumer: Consumer, redeliveriesOnly: boolean): ReadyRun | undefined;
  /** Takes out the first `count` records of what the last `peek` for this consumer gave. */
  take(consumer: Consumer, run: ReadyRun, count: number): ReadyRun;
  /** A run that was taken is settled for good. */
  settled(run: RecordRun): void;
  /** A run that was taken is to be redelivered. `late`: the consumer that let its deadline pass. */
  failed(run: RecordRun, late: Consumer | undefined): void;
  /** A run waits for redelivery from the beginning: it failed before this node had its claim. */
  hold(run: RecordRun): void;
  /** It is not redelivered: somebody else settled it. */
  release(run: RecordRun): void;
  /** Drops what is ready of a claim. */
  drop(claim: Claim): void;
  /** These may have keys from now on. False: keys are spread over them already, or not spread at all. */
  share(consumers: readonly Consumer[]): boolean;
  clear(): void;
}
