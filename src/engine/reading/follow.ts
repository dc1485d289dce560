/**
 * Follows a topic: history, then every new record, by one cursor and without a queue. When the cursor of a slow follower
 * leaves the tail, its next page is read from the database: falling behind costs a page read and is not an error. With a
 * single cursor nothing can overflow, and no record is skipped or repeated between history and live (invariant 5).
 *
 *   starting ──`started` sent──▶ catching-up ──its cursor reaches the head──▶ live ──its cursor left the tail──▶ catching-up
 *        any ──topic closed and everything delivered──▶ ended
 */

import {
  type FollowWaiting,
  MillraceError,
  type Position,
  type Start,
  type WhenBehind,
  type WhenTrimmed,
} from "../../core/index.js";
import type { Head } from "../../store/index.js";
import type { LiveStream } from "../../telemetry/index.js";
import type { PageMessage } from "../topics/page-message.js";
import { overError, type Topic } from "../topics/topic.js";
import { offsetsOf } from "./frame-search.js";
import { LogCursor, type LogOutcome, type TakenPage, type SkippedMessage } from "./log-cursor.js";
import { type PageSource, type ReadingParts, type ReaderStep, streamPages, type Taken } from "./page-stream.js";
import { resolveStart, type TopicAt } from "./start-offset.js";
import type { Filter } from "../../filter/index.js";

export interface FollowCommand {
  readonly topic: string;
  /** Undefined: `latest`. */
  readonly start: Start | undefined;
  readonly whenBehind: WhenBehind;
  readonly whenTrimmed: WhenTrimmed;
  /** Only records that match. */
  readonly filter: Filter | undefined;
}

export type FollowMessage =
  | PageMessage
  | SkippedMessage
  | {
      readonly kind: "started";
      readonly earliestOffset: number;
      readonly nextOffset: number;
      readonly next: Position;
    }
  | { readonly kind: "caught-up"; readonly next: Position }
  | { readonly kind: "fell-behind"; readonly lag: number; readonly next: Position }
  | {
      readonly kind: "heartbeat";
      readonly nextOffset: number;
      readonly waiting: FollowWaiting;
      readonly next: Position;
    }
  | { readonly kind: "closed"; readonly next: Position };

/** How often a live follower gets its position while its filter matches no record, in milliseconds. */
const progressMs = 1000;

export function followTopic(
  parts: ReadingParts,
  command: FollowCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<FollowMessage, void, undefined> {
  return streamPages<FollowMessage, FollowOutcome>(
    parts,
    { topic: command.topic, stream, signal },
    {
      fresh: async (topic, { head }) =>
        new FollowSource(parts, command, {
          topic,
          head,
          offset: await startOf(command, { topic, head, lanes: parts.lanes }, signal),
        }),
    },
  );
}

/** The first offset that can match. Trimmed records before it are still reported. */
async function startOf(
  { start = { at: "latest" }, filter }: FollowCommand,
  at: TopicAt,
  signal: AbortSignal,
): Promise<number> {
  const { head } = at;
  const offset = await resolveStart(start, at, signal);
  if (filter === undefined || offset < head.earliestOffset) return offset;
  const { firstOffset } = await offsetsOf(filter, at, signal);
  return Math.max(offset, Math.min(firstOffset, head.nextOffset));
}

type FollowOutcome = LogOutcome | { readonly kind: "cached"; readonly page: PageMessage };

class FollowSource implements PageSource<FollowMessage, FollowOutcome> {
  readonly #parts: ReadingParts;
  readonly #command: FollowCommand;
  readonly #topic: Topic;
  /** As it was when the follow began. */
  readonly #head: Head;
  readonly #cursor: LogCursor;
  #phase: "starting" | "catching-up" | "live" | "ended" = "starting";
  /** When the last page was sent, by the monotonic clock. */
  #sentAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    parts: ReadingParts,
    command: FollowCommand,
    { topic, head, offset }: { readonly topic: Topic; readonly head: Head; readonly offset: number },
  ) {
    this.#parts = parts;
    this.#command = command;
    this.#topic = topic;
    this.#head = head;
    this.#cursor = new LogCursor(parts, { topic, direction: "forward", offset, filter: command.filter });
    topic.followers += 1;
  }

  get offset(): number {
    return this.#cursor.offset;
  }

  get end(): number {
    return this.#topic.tip.value.nextOffset;
  }

  /** A page that the tail holds is not read ahead from the database. */
  get readsOn(): boolean {
    const { first, next } = this.#topic.tail;
    const isInTail = this.offset >= first && this.offset < next;
    return this.#phase === "catching-up" && this.offset < this.end && !isInTail;
  }

  /** Depends only on the tip, the tail and the phase. */
  step(): ReaderStep<FollowMessage> {
    if (this.#phase === "ended") return "end";
    if (this.#phase === "starting") return this.#begin();
    if (this.#topic.isOver) throw overError(this.#topic);
    if (this.offset < this.end) {
      return this.#phase === "live" && this.offset < this.#topic.tail.first ? this.#fallBehind() : "read";
    }
    if (this.#phase === "catching-up") return this.#goLive();
    if (this.#topic.tip.value.state === "open") return "wait";
    this.#moveTo("ended");
    return { kind: "closed", next: this.#cursor.position };
  }

  /** Reads from the tail if it holds the page, else from the database. */
  read(bytes: number, signal: AbortSignal): FollowOutcome | Promise<FollowOutcome> {
    const page = this.#readTail(bytes);
    if (page !== undefined) return { kind: "cached", page };
    if (this.#phase === "live") return this.#parts.pages.readLive(this.#topic, this.offset, signal);
    return this.#cursor.read(bytes, {}, signal);
  }

  take(outcome: FollowOutcome, bytes: number): Taken<FollowMessage> {
    switch (outcome.kind) {
      case "cached":
        return this.#tell(this.#cursor.takeWhole(outcome.page));
      case "page": {
        // A live page that was read for all followers is in the tail now, unless the tail could not take it.
        const shared = this.#phase === "live" ? this.#readTail(bytes) : undefined;
        return this.#tell(shared === undefined ? this.#cursor.take(outcome) : this.#cursor.takeWhole(shared));
      }
      case "found":
        return this.#tell(this.#cursor.take(outcome));
      case "end":
        // The tip was ahead of the snapshot of this read. The next step decides it.
        return { message: undefined, bytes: 0 };
      case "gone":
      case "beyond":
      case "missing":
      case "trimmed":
        return { message: this.#cursor.skip(outcome, this.#command.whenTrimmed), bytes: 0 };
      default:
        return outcome satisfies never;
    }
  }

  heartbeat(waiting: FollowWaiting): FollowMessage {
    return { kind: "heartbeat", nextOffset: this.end, waiting, next: this.#cursor.position };
  }

  leave(): void {
    this.#moveTo("ended");
    this.#topic.followers -= 1;
  }

  #begin(): FollowMessage {
    const { earliestOffset, nextOffset } = this.#head;
    this.#moveTo("catching-up");
    return { kind: "started", earliestOffset, nextOffset, next: this.#cursor.position };
  }

  #goLive(): FollowMessage {
    const { tail } = this.#topic;
    // Nobody needs the pages in the tail. With a hole before this cursor the tail would take no page any more.
    if (this.#topic.liveFollowers === 0 && tail.next !== this.offset) tail.restart(this.offset);
    this.#moveTo("live");
    return { kind: "caught-up", next: this.#cursor.position };
  }

  #fallBehind(): FollowMessage {
    this.#parts.metrics.followsFellBehind.inc();
    const { nextOffset, earliestOffset } = this.#topic.tip.value;
    const { whenBehind } = this.#command;
    const from = this.offset;
    switch (whenBehind) {
      case "catch-up":
        this.#moveTo("catching-up");
        return { kind: "fell-behind", lag: nextOffset - from, next: this.#cursor.position };
      case "skip":
        this.#cursor.moveTo(nextOffset);
        return { kind: "skipped", reason: "behind", firstOffset: from, nextOffset, next: this.#cursor.position };
      case "fail":
        throw new MillraceError(
          "fell-behind",
          `This follower of topic "${this.#topic.name}" reads too slowly: it is at offset ${from} of ${nextOffset}, which left the node's memory (when_behind is FAIL)`,
          {
            metadata: {
              topic: this.#topic.name,
              epoch: String(this.#topic.epoch),
              offset: String(from),
              earliest_offset: String(earliestOffset),
              next_offset: String(nextOffset),
            },
          },
        );
      default:
        return whenBehind satisfies never;
    }
  }

  #readTail(bytes: number): PageMessage | undefined {
    // The tail may still hold trimmed records. Followers that were live when these arrived get them; a follower that
    // arrives now does not.
    if (this.#phase === "catching-up" && this.offset < this.#topic.tip.value.earliestOffset) return undefined;
    const page = this.#topic.tail.read(this.offset, bytes, this.#topic.epoch);
    if (page !== undefined) this.#parts.metrics.pageReads.inc({ source: "tail" });
    return page;
  }

  /** When no record of a page is left, history sends its position all the same, a live follower only now and then. */
  #tell(taken: TakenPage): Taken<FollowMessage> {
    const nowMs = this.#parts.clock.monotonicMs();
    if (taken.message.records === 0 && this.#phase === "live" && nowMs - this.#sentAtMs < progressMs) {
      return { message: undefined, bytes: taken.bytes };
    }
    this.#sentAtMs = nowMs;
    return taken;
  }

  #moveTo(phase: "catching-up" | "live" | "ended"): void {
    this.#topic.liveFollowers += Number(phase === "live") - Number(this.#phase === "live");
    this.#phase = phase;
  }
}
