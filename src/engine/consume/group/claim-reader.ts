/** Reads the records of claims from the topic, page by page, as far as `ReadDemand` wants it, and claims more in SHARED. */

import { type Limits, MillraceError, type OffsetRange, type Sharing } from "../../../core/index.js";
import { yieldToEventLoop } from "../../../streams/index.js";
import type { Logger } from "../../../telemetry/index.js";
import { frameEnds, joinRuns } from "../../../wire/index.js";
import type { PageReader } from "../../reading/page-reader.js";
import type { StampClock } from "../../topics/stamp-clock.js";
import { overError, type Topic } from "../../topics/topic.js";
import { Claim } from "../records/claim.js";
import type { Ledger } from "../settling/ledger.js";
import type { ConsumerSet } from "../handing-out/consumer-set.js";
import type { ReadyRecords } from "../handing-out/ready-records.js";
import { dividePage } from "./page-division.js";
import type { ReadDemand } from "./read-demand.js";
import type { HeldClaims } from "../records/held-claims.js";
import type { RecentFrames } from "../records/recent-frames.js";
import { isTransient, type SettleWriter } from "../settling/settle-writer.js";

/**
 * How many records a node that consumes alone claims before they are published: otherwise each record that is published by
 * itself would be a claim of its own, and so a row. When another node comes, they are given back (`claim-exchange.ts`).
 */
const aheadRecordsMax = 256;

export interface ClaimReaderParts {
  readonly topic: Topic;
  readonly sharing: Sharing;
  /** They get `skipped` events for records that were trimmed before they were read, and end when reading fails for good. */
  readonly consumers: Pick<ConsumerSet, "tellSkipped" | "failAll">;
  readonly claims: HeldClaims;
  readonly ledger: Ledger;
  readonly ready: ReadyRecords;
  readonly recent: RecentFrames;
  readonly writer: SettleWriter;
  readonly pages: PageReader;
  readonly limits: Limits;
  readonly stampClock: StampClock;
  readonly logger: Logger;
  readonly demand: Pick<ReadDemand, "isWanted" | "records">;
  /** Called when a page was read, or the database answered without records. */
  readonly onRead: () => void;
}

export class ClaimReader {
  readonly #parts: ClaimReaderParts;
  readonly #end = new AbortController();
  /** All claims with unread offsets, and some that had: a node may hold thousands of claims with none. */
  readonly #unread = new Set<Claim>();
  /** The offset after the last page, and the topic's running total of frame bytes there. */
  #lastPage: { readonly next: number; readonly endBytes: number } | undefined;
  /** Nothing more can be claimed while the topic ends at this offset. */
  #exhaustedAt = -1;
  #reading: Promise<void> | undefined;
  /** `read` was called since the last check. */
  #isAsked = false;
  /** The database was asked, and no records have come since. */
  #isWaiting = false;

  constructor(parts: ClaimReaderParts) {
    this.#parts = parts;
  }

  /** Whether an answer of the database is awaited. */
  get isReading(): boolean {
    return this.#isWaiting;
  }

  /** Reads on, as far as it is wanted. There is one read at a time. */
  read(): void {
    this.#isAsked = true;
    if (this.#reading !== undefined || this.#end.signal.aborted) return;
    this.#reading = this.#readAll().finally(() => {
      this.#reading = undefined;
      // If the database was not asked, nothing has changed for anybody. This is the usual case.
      if (this.#isWaiting) {
        this.#isWaiting = false;
        this.#parts.onRead();
      }
      // `read` may have been called since the last check.
      if (this.#isAsked) this.read();
    });
  }

  /** A claim was taken. */
  include(claim: Claim): void {
    if (!claim.unread.isEmpty) this.#unread.add(claim);
  }

  /** What can be claimed may have changed. */
  lookAgain(): void {
    this.#exhaustedAt = -1;
    this.read();
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.#reading;
  }

  /** Never throws. */
  async #readAll(): Promise<void> {
    const { logger, topic, demand, consumers } = this.#parts;
    try {
      // One read serves all calls of this turn.
      await yieldToEventLoop();
      while (this.#isAsked && !this.#end.signal.aborted) {
        this.#isAsked = false;
        while (!this.#end.signal.aborted && demand.isWanted && (await this.#readOne()));
      }
    } catch (error) {
      if (this.#end.signal.aborted) return;
      const isAway = isTransient(error) || (error instanceof MillraceError && error.code === "database-unavailable");
      // The next read tries again.
      if (isAway) logger.warn({ err: error, topic: topic.name }, "cannot read for consumers; trying again");
      else
        consumers.failAll(error instanceof Error ? error : new Error("Reading for consumers failed", { cause: error }));
    }
  }

  /** Reads a page, or claims more; false: neither is possible now. */
  async #readOne(): Promise<boolean> {
    const { topic, ledger, sharing, claims, consumers, demand } = this.#parts;
    const tip = topic.tip.value;
    const source = this.#lowestUnread();
    if (source !== undefined && source.firstOffset < tip.nextOffset) return this.#readPage(source);
    // All that is published is read, and more is claimed already.
    if (source !== undefined) return false;
    if (sharing !== "shared" || this.#exhaustedAt >= tip.nextOffset) return false;
    this.#isWaiting = true;
    const ahead = ledger.isAlone && tip.state === "open" ? aheadRecordsMax : 0;
    const claimed = await ledger.claimMore(demand.records, tip.earliestOffset, tip.nextOffset + ahead);
    if (claimed === undefined) {
      this.#exhaustedAt = tip.nextOffset;
      return false;
    }
    const claim = new Claim(claimed, ledger.attemptsBefore);
    claims.add(claim);
    this.include(claim);
    const { skippedFrom } = claimed;
    if (skippedFrom !== undefined) consumers.tellSkipped(skippedFrom, claim.todo.first ?? skippedFrom);
    return true;
  }

  #lowestUnread(): OffsetRange | undefined {
    let lowest: OffsetRange | undefined;
    for (const claim of this.#unread) {
      if (claim.unread.isEmpty || !this.#isHeld(claim)) {
        this.#unread.delete(claim);
        continue;
      }
      const range = claim.isLeaving ? undefined : claim.unread.firstRange;
      if (range !== undefined && range.firstOffset < (lowest?.firstOffset ?? Number.POSITIVE_INFINITY)) lowest = range;
    }
    return lowest;
  }

  async #readPage({ firstOffset, nextOffset }: OffsetRange): Promise<boolean> {
    const { topic, pages, limits, sharing } = this.#parts;
    // The tail may still have records that were trimmed.
    const isKept = firstOffset >= topic.tip.value.earliestOffset;
    const cached = isKept ? topic.tail.read(firstOffset, limits.pageBytesMax, topic.epoch) : undefined;
    if (cached !== undefined) {
      // A copy: a record that waits must not hold the pages of whole commits in memory.
      this.#take(joinRuns(cached.runs), firstOffset, cached.records);
      return true;
    }
    const bytes = this.#lastPage?.next === firstOffset ? this.#lastPage.endBytes : undefined;
    const cursor = { direction: "forward", offset: firstOffset, bytes } as const;
    // KEYED slots are read together, up to the topic's end.
    const until = sharing === "shared" && Number.isFinite(nextOffset) ? { until: nextOffset } : {};
    this.#isWaiting = true;
    const outcome = await pages.readHistory({ topic, cursor, bytes: limits.pageBytesMax, ...until }, this.#end.signal);
    switch (outcome.kind) {
      case "page": {
        const { page } = outcome;
        this.#lastPage = { next: page.next, endBytes: page.endBytes };
        this.#take(page.frames, page.first, page.next - page.first);
        return true;
      }
      case "end":
        return false;
      case "trimmed":
        this.#skip(firstOffset, outcome.head.earliestOffset);
        return true;
      case "missing":
      case "beyond":
      case "gone":
        throw topic.isOver ? overError(topic) : dataLoss(topic, firstOffset);
      default:
        return outcome satisfies never;
    }
  }

  /** Takes a page in: `records` frames from offset `first` on. */
  #take(page: Uint8Array, first: number, records: number): void {
    const ends = frameEnds(page, records);
    // A claim that was taken while the page was read may have records before it, and gets them first.
    const reading = new Set([...this.#unread].filter(({ unread: offsets }) => (offsets.first ?? first) >= first));
    dividePage(this.#parts, { firstOffset: first, page, ends }, reading);
    this.#parts.recent.add(first, page, ends);
    this.#parts.onRead();
  }

  #isHeld(claim: Claim): boolean {
    return this.#parts.claims.holds(claim);
  }

  /**
   * Settles unread records that the topic does not keep any more. Those that wait for redelivery are left: it finds that they
   * are gone, or that they are not, since they were parked and redriven.
   */
  #skip(first: number, next: number): void {
    for (const claim of this.#unread) {
      if (!this.#isHeld(claim)) continue;
      for (const { firstOffset, nextOffset } of claim.unread) {
        if (firstOffset < next) this.#parts.writer.pass(claim, firstOffset, Math.min(nextOffset, next));
      }
      claim.unread.delete(first, next);
    }
    this.#parts.consumers.tellSkipped(first, next);
  }
}

function dataLoss(topic: Topic, offset: number): MillraceError {
  return new MillraceError(
    "data-loss",
    `Topic "${topic.name}" lost the record at ${offset}: by its head it is kept, and it is not there. Seek beyond it`,
    { metadata: { topic: topic.name, offset: String(offset) } },
  );
}
