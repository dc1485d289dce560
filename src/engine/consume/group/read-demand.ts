/**
 * How far a group reads ahead: as far as its consumers' windows reach, or further where they work faster, within its share
 * of memory. It stops while the database is behind with what became of records.
 */

import type { Limits, Sharing } from "../../../core/index.js";
import type { ConsumerSet } from "../handing-out/consumer-set.js";
import type { ReadyRecords } from "../handing-out/ready-records.js";
import type { ReadAhead } from "./read-ahead.js";
import type { DeliverySettings } from "../settling/delivery-settings.js";
import type { Ledger } from "../settling/ledger.js";
import type { Redelivery } from "../settling/redelivery.js";
import type { SettleWriter } from "../settling/settle-writer.js";

/** What is claimed of a SHARED subscription at once, at least. */
const claimRecordsMin = 16;

export interface ReadDemandParts {
  readonly sharing: Sharing;
  readonly limits: Pick<Limits, "claimRecords">;
  readonly ledger: Pick<Ledger, "isHeld">;
  readonly settings: Readonly<DeliverySettings>;
  readonly consumers: Pick<ConsumerSet, "hasRoom" | "windowRecords">;
  readonly ready: Pick<ReadyRecords, "count" | "redeliveryCount" | "bytes">;
  readonly redelivery: Pick<Redelivery, "isBacklogFull">;
  readonly writer: Pick<SettleWriter, "isBehind">;
  readonly ahead: Pick<ReadAhead, "mayRead">;
}

export class ReadDemand {
  readonly #parts: ReadDemandParts;
  /** Records that were handed out since the last second began, and in the one before. */
  #handed = { sinceMs: 0, now: 0, before: 0 };

  constructor(parts: ReadDemandParts) {
    this.#parts = parts;
  }

  /** Records were handed out. */
  handed(records: number): void {
    this.#handed.now += records;
  }

  /** Begins another second when the last one is over. To be called at least once a second. */
  tick(nowMs: number): void {
    if (nowMs - this.#handed.sinceMs >= 1000) this.#handed = { sinceMs: nowMs, now: 0, before: this.#handed.now };
  }

  /** How many records to have ready: as many as windows take, or as were handed out in the last half second. */
  get records(): number {
    const rate = Math.max(this.#handed.before, this.#handed.now) / 2;
    const { limits, consumers } = this.#parts;
    return Math.min(limits.claimRecords, Math.max(claimRecordsMin, consumers.windowRecords, Math.ceil(rate)));
  }

  /** Whether another page is wanted now. */
  get isWanted(): boolean {
    const { sharing, ledger, settings, consumers, ready, redelivery, writer, ahead } = this.#parts;
    if (settings.isPaused || !ledger.isHeld || writer.isBehind || redelivery.isBacklogFull) return false;
    // Where all that is ready is redelivered, the next page is always read: it may have the records that come before.
    const fresh = ready.count - ready.redeliveryCount;
    if (!ahead.mayRead(fresh === 0 ? 0 : ready.bytes)) return false;
    if (sharing === "keyed") return consumers.hasRoom;
    if ((sharing === "exclusive" ? fresh : ready.count) >= this.records) return false;
    // While consumers work off their windows the next records are read, or each of them waited for the database.
    return consumers.hasRoom || this.#handed.now + this.#handed.before > 0;
  }
}
