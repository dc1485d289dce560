/** What becomes of records that consumers have: what they say, and what is concluded where they say nothing. */

import { type DeliveryPolicy, type OffsetRange, RangeSet, type Sharing } from "../../core/index.js";
import type { Clock, Metrics } from "../../telemetry/index.js";
import { slotOf } from "../../wire/index.js";
import type { ConsumerRequest } from "../subscription-engine.js";
import type { Claim } from "./claim.js";
import type { Consumer, Outstanding } from "./consumer.js";
import { HeldOffsets } from "./held-offsets.js";
import type { RecordState } from "./held-record.js";
import type { ReadyRecords } from "./ready-records.js";
import type { Redelivery } from "./redelivery.js";
import type { SettleWriter } from "./settle-writer.js";

export interface VerdictsParts {
  readonly sharing: Sharing;
  readonly policy: () => DeliveryPolicy;
  readonly ready: ReadyRecords;
  readonly redelivery: Redelivery;
  readonly writer: SettleWriter;
  /** Whether so many more may be parked. */
  readonly mayPark: (records: number) => boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export class Verdicts {
  readonly #parts: VerdictsParts;

  constructor(parts: VerdictsParts) {
    this.#parts = parts;
  }

  /** What a consumer says of its records. Of an offset that it names twice in one message, the first counts. */
  hear(consumer: Consumer, request: ConsumerRequest): void {
    const offsets = new HeldOffsets(consumer.outstanding);
    const said = new RangeSet();
    /** Gives what a consumer has of a range, tells it what it does not have, and looks at nothing twice. */
    const heldOf = (range: OffsetRange): readonly number[] => {
      const all: number[] = [];
      for (const part of said.missing(range.firstOffset, range.nextOffset)) {
        const { held, stale } = offsets.of(part);
        for (const offset of held) all.push(offset);
        for (const { firstOffset, nextOffset } of stale) consumer.confirm("stale", firstOffset, nextOffset);
      }
      said.add(range.firstOffset, range.nextOffset);
      return all;
    };
    const each = (range: OffsetRange, use: (outstanding: Outstanding) => void): void => {
      for (const offset of heldOf(range)) use(consumer.takeBack(offset) as Outstanding);
    };

    for (const { range } of request.acknowledge) this.#acknowledge(consumer, heldOf(range));
    if (request.acknowledgeThrough !== undefined) {
      this.#acknowledge(consumer, offsets.of({ firstOffset: 0, nextOffset: request.acknowledgeThrough + 1 }).held);
    }
    for (const { range, delayMs, reason } of request.reject) {
      each(range, (outstanding) => {
        const delay = delayMs ?? this.#backoffMs(outstanding.record.failures + 1);
        this.#fail(outstanding, reason === "" ? "rejected" : reason, delay, { consumer, verdict: "rejected" });
      });
    }
    for (const { range, byMs } of request.extend) {
      this.#extend(consumer, heldOf(range), byMs ?? this.#parts.policy().ackDeadlineMs);
    }
    for (const { range, reason } of request.park) {
      each(range, (outstanding) => this.#park(consumer, outstanding, reason));
    }
    for (const { range } of request.release) {
      each(range, (outstanding) => this.#giveBack(outstanding, { consumer, verdict: "released" }));
    }
  }

  /** Takes all that it has off a consumer. `wasLost`: what it was sent counts as failed. */
  takeAll(consumer: Consumer, wasLost: boolean): void {
    for (const offset of consumer.outstanding.keys()) {
      const outstanding = consumer.takeBack(offset) as Outstanding;
      const isSent = outstanding.deadlineMs !== Number.POSITIVE_INFINITY;
      if (wasLost && isSent) this.#fail(outstanding, `the consumer "${consumer.name}" was lost`, 0, undefined);
      else this.#giveBack(outstanding, undefined);
    }
  }

  /** Takes off a consumer what it has had for too long. */
  expire(consumer: Consumer, nowMs: number): void {
    for (const [offset, { deadlineMs }] of consumer.outstanding) {
      if (deadlineMs > nowMs) continue;
      const late = consumer.takeBack(offset) as Outstanding;
      const attempt = late.record.deliveries + 1;
      this.#fail(late, `attempt ${attempt} by "${consumer.name}" was not acknowledged in time`, 0, undefined);
      consumer.wake();
    }
  }

  #acknowledge(consumer: Consumer, held: readonly number[]): void {
    let run: { claim: Claim; first: number; next: number } | undefined;
    const end = (): void => {
      if (run !== undefined) this.#parts.writer.acknowledge(run.claim, run.first, run.next, consumer);
    };
    for (const offset of held) {
      const { record } = consumer.takeBack(offset) as Outstanding;
      if (record.deliveries > 0) this.#parts.writer.forgetRetry(offset);
      this.#parts.ready.settled(record);
      if (run?.claim === record.claim && run.next === offset) run.next += 1;
      else {
        end();
        run = { claim: record.claim, first: offset, next: offset + 1 };
      }
    }
    end();
    if (held.length > 0) consumer.lastAcknowledgementMs = Date.now();
  }

  #extend(consumer: Consumer, held: readonly number[], byMs: number): void {
    const deadlineMs = this.#parts.clock.monotonicMs() + byMs;
    const extended = new RangeSet();
    for (const offset of held) {
      (consumer.outstanding.get(offset) as Outstanding).deadlineMs = deadlineMs;
      extended.add(offset, offset + 1);
    }
    for (const { firstOffset, nextOffset } of extended) consumer.confirm("extended", firstOffset, nextOffset);
  }

  #fail(
    { record }: Outstanding,
    reason: string,
    delayMs: number,
    told: { readonly consumer: Consumer; readonly verdict: "rejected" } | undefined,
  ): void {
    const failed = { ...record, deliveries: record.deliveries + 1, failures: record.failures + 1 };
    if (failed.failures >= this.#parts.policy().attemptsMax && this.#parts.mayPark(1)) {
      this.#parts.writer.park({ record: failed, slot: this.#slotOf(record), reason, told });
      return;
    }
    this.#parts.metrics.recordsFailed.inc();
    this.#parts.ready.failed(record);
    this.#parts.redelivery.expect(record, delayMs);
    this.#parts.writer.retry({ record: failed, delayMs, reason, told });
  }

  #park(consumer: Consumer, outstanding: Outstanding, reason: string): void {
    const { record } = outstanding;
    const why = reason === "" ? "parked by its consumer" : reason;
    if (!this.#parts.mayPark(1)) {
      return this.#fail(outstanding, why, this.#parts.policy().retryMaxMs, { consumer, verdict: "rejected" });
    }
    const parked = { ...record, deliveries: record.deliveries + 1, failures: record.failures + 1 };
    this.#parts.writer.park({
      record: parked,
      slot: this.#slotOf(record),
      reason: why,
      told: { consumer, verdict: "parked" },
    });
  }

  #giveBack(
    { record }: Outstanding,
    told: { readonly consumer: Consumer; readonly verdict: "released" } | undefined,
  ): void {
    this.#parts.ready.failed(record);
    this.#parts.redelivery.expect(record, 0);
    const released = { ...record, deliveries: record.deliveries + 1 };
    this.#parts.writer.retry({ record: released, delayMs: 0, reason: undefined, told });
  }

  #slotOf({ lane, offset }: RecordState): number {
    return this.#parts.sharing === "keyed" ? slotOf(lane, offset) : 0;
  }

  #backoffMs(failures: number): number {
    const { retryMinMs, retryMaxMs } = this.#parts.policy();
    return Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(failures - 1, 40));
  }
}
