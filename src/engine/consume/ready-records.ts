/** Records that were read and wait for a consumer with room: how they are shared is what implementations differ in. */

import type { Claim } from "./claim.js";
import type { Consumer } from "./consumer.js";
import type { HeldRecord, RecordState } from "./held-record.js";

export interface ReadyRecords {
  /** How many wait, whether somebody may have them now or not. */
  readonly count: number;
  /** How many of them come again. */
  readonly againCount: number;
  /** Bytes of their frames. */
  readonly bytes: number;
  /** A record that was just read. They come in the order of offsets. */
  add(record: HeldRecord): void;
  /** A record that is handed out again. */
  addAgain(record: HeldRecord): void;
  /** The next record for a consumer. `againOnly`: none that was never handed out. Undefined: there is none now. */
  peek(consumer: Consumer, againOnly: boolean): HeldRecord | undefined;
  /** Takes out what the last `peek` for this consumer gave. */
  take(consumer: Consumer, record: HeldRecord): void;
  /** A record that was taken is settled for good. */
  settled(record: RecordState): void;
  /** A record that was taken failed, and comes again. */
  failed(record: RecordState): void;
  /** A record waits for its retry from the beginning: it failed before this node had its claim. */
  hold(record: RecordState): void;
  /** It does not come again: somebody else settled it. */
  release(record: RecordState): void;
  /** Drops what is ready of a claim. */
  drop(claim: Claim): void;
  /** Consumers came or went. */
  share(consumers: ReadonlySet<Consumer>): void;
  clear(): void;
}
