/**
 * The records of the claims that a node holds for a group, wherever they are: ready, with a consumer, waiting for their
 * redelivery, or on the way to the database. Here they leave the group without a verdict on them: somebody else settled
 * them, their topic does not keep them any more, or their claim goes to another node.
 */

import { type Limits, MillraceError, type OffsetRange, type Sharing } from "../../../core/index.js";
import type { Retry, StoredClaim } from "../../../store/index.js";
import type { Clock, Logger, Metrics } from "../../../telemetry/index.js";
import type { Topic } from "../../topics/topic.js";
import type { Consumer } from "../handing-out/consumer.js";
import type { ConsumerSet } from "../handing-out/consumer-set.js";
import { KeyedRecords } from "../handing-out/keyed-records.js";
import type { ReadyRecords } from "../handing-out/ready-records.js";
import { SpreadRecords } from "../handing-out/spread-records.js";
import type { ReadAhead } from "./read-ahead.js";
import { Claim } from "../records/claim.js";
import { HeldClaims } from "../records/held-claims.js";
import type { AskedRange } from "../records/held-runs.js";
import type { OutstandingBudget } from "../records/outstanding-budget.js";
import { RecentFrames } from "../records/recent-frames.js";
import { attemptOf, type HeldRun, type RecordRun, recordsIn } from "../records/record-run.js";
import type { DeliverySettings } from "../settling/delivery-settings.js";
import type { Ledger } from "../settling/ledger.js";
import { Redelivery } from "../settling/redelivery.js";
import { SettleWriter } from "../settling/settle-writer.js";

export interface ClaimedRecordsParts {
  readonly topic: Topic;
  readonly sharing: Sharing;
  readonly settings: Readonly<DeliverySettings>;
  readonly consumers: ConsumerSet;
  readonly ledger: Ledger;
  readonly ahead: ReadAhead;
  readonly budget: OutstandingBudget;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** As of `SettleWriterParts`. */
  readonly onProgress: (isNews: boolean) => void;
  /** As of `RedeliveryParts`. */
  readonly onWaiting: () => void;
  readonly onReady: () => void;
}

export class ClaimedRecords {
  readonly claims = new HeldClaims();
  readonly ready: ReadyRecords;
  readonly recent: RecentFrames;
  readonly redelivery: Redelivery;
  readonly writer: SettleWriter;
  readonly #parts: ClaimedRecordsParts;

  constructor(parts: ClaimedRecordsParts) {
    const { sharing, ledger, limits, metrics, logger, consumers } = parts;
    this.#parts = parts;
    this.ready = sharing === "keyed" ? new KeyedRecords() : new SpreadRecords(sharing === "exclusive");
    this.recent = new RecentFrames(Math.floor(limits.consumeAheadBytes / 2));
    this.writer = new SettleWriter({
      ...parts,
      intervalMs: limits.settleIntervalMs,
      settle: (write) => ledger.settle(write),
      onNoted: (run) => this.redelivery.wait(run),
      onElsewhere: (run) => this.redelivery.forget(run),
      onParked: (run) => {
        metrics.recordsParked.inc(recordsIn(run));
        this.ready.settled(run);
      },
      onLost: (claims) => this.drop(claims),
      onDone: (claim) => this.#forget(claim),
      onFault: (error) => {
        logger.error({ err: error }, "a subscription cannot write what became of its records");
        consumers.failAll(new MillraceError("internal", "What became of records cannot be written", { cause: error }));
      },
    });
    this.redelivery = new Redelivery({
      ...parts,
      ready: this.ready,
      writer: this.writer,
      recent: this.recent,
      keepsOrder: sharing === "exclusive",
      // They are gone in the database, although this node may not know of the trim yet.
      onUnkept: (run) => this.passOver(run, run.nextOffset),
    });
  }

  /** Nothing is to be read, ready, waiting, with a consumer, or on its way to the database. */
  get isIdle(): boolean {
    return (
      this.claims.lowestUnread >= this.#parts.topic.tip.value.nextOffset &&
      this.ready.count === 0 &&
      this.redelivery.count === 0 &&
      this.writer.backlog === 0 &&
      !this.#parts.consumers.hasOutstanding
    );
  }

  /** Takes a claim in, with the records of it that wait for redelivery. */
  add(stored: StoredClaim, retries: readonly Retry[]): Claim {
    const claim = new Claim(stored, this.#parts.ledger.attemptsBefore);
    this.claims.add(claim);
    this.redelivery.restore(claim, retries);
    return claim;
  }

  /** Other nodes have these claims. Consumers lose what they have of them. */
  drop(claims: Iterable<Claim>): void {
    const lost = [...claims].filter((claim) => !claim.isLost);
    if (lost.length === 0) return;
    for (const claim of lost) claim.isLost = true;
    // One search for all of them: a node may hold as many claims as records.
    for (const consumer of this.#parts.consumers) {
      consumer.held.takeWhere(
        (run) => run.claim.isLost,
        (run) => {
          // Its consumer gets the message when it reads on, and would work on it in vain.
          if (run.state.phase === "sending") consumer.refuse(attemptOf(run), run.firstOffset, run.nextOffset);
          // A redriven claim may be lost without its slot: then its keys are not worked on any more.
          this.ready.settled(run);
        },
      );
      // While the node drains, its call waits until the consumer has nothing.
      if (consumer.isDraining) consumer.wake();
    }
    for (const claim of lost) this.#remove(claim);
    this.holdAhead();
  }

  /** Hands out nothing more of a claim, which is about to be given to another node. */
  retire(claim: Claim): void {
    if (claim.isLeaving) return;
    claim.isLeaving = true;
    this.ready.drop(claim);
    this.redelivery.drop(claim);
  }

  /** A retired claim, of which no consumer has anything, was given back. */
  release(claim: Claim): void {
    claim.isLost = true;
    this.#forget(claim);
  }

  /** A Commit settled these, which ascend and lie apart. Consumers lose those that they have at these attempts. */
  settled(ranges: readonly AskedRange[]): void {
    for (const consumer of this.#parts.consumers) this.#takeSettled(consumer, ranges, () => true);
    this.claims.settle(ranges);
  }

  /** Somebody else settled these of a claim, whatever their attempts. */
  settledOf(claimId: number, ranges: readonly OffsetRange[]): void {
    const asked = ranges.map((range) => ({ ...range, attempt: 0 }));
    for (const consumer of this.#parts.consumers) {
      this.#takeSettled(consumer, asked, ({ claim }) => claim.claimId === claimId);
    }
  }

  /** Settles records that no consumer gets any more. Consumers get a `skipped` event for trimmed ones. */
  passOver(run: RecordRun, earliestOffset = this.#parts.topic.tip.value.earliestOffset): void {
    const { claim, firstOffset, nextOffset, state } = run;
    if (state.isNoted) this.writer.forgetRetries(run);
    this.writer.pass(claim, firstOffset, nextOffset);
    const trimmedTo = Math.min(nextOffset, earliestOffset);
    if (claim.kind !== "redriven" && firstOffset < trimmedTo) {
      this.#parts.consumers.tellSkipped(firstOffset, trimmedTo);
    }
  }

  /** Tells the node how much memory frames take here. */
  holdAhead(): void {
    const { ahead } = this.#parts;
    // Kept frames only save reads: they make room for what is read ahead.
    if (!ahead.hasPlenty) this.recent.clear();
    ahead.hold(this, this.ready.bytes + this.recent.bytes + this.redelivery.frameBytes);
  }

  /** The group is closed: what is left counts no more. */
  clear(): void {
    this.writer.clear();
    this.redelivery.clear();
    this.#parts.ahead.leave(this);
  }

  #takeSettled(consumer: Consumer, ranges: readonly AskedRange[], isMeant: (run: HeldRun) => boolean): void {
    consumer.held.use(
      ranges,
      (run) => {
        if (!isMeant(run)) return run;
        const { claim, firstOffset, nextOffset } = run;
        claim.todo.delete(firstOffset, nextOffset);
        this.ready.settled(run);
        consumer.acknowledges();
        if (claim.todo.isEmpty) this.#forget(claim);
        return undefined;
      },
      () => undefined,
    );
  }

  /** Nothing is left of a claim here. */
  #forget(claim: Claim): void {
    this.#remove(claim);
    this.holdAhead();
  }

  #remove(claim: Claim): void {
    this.claims.delete(claim);
    this.ready.drop(claim);
    this.redelivery.drop(claim);
  }
}
