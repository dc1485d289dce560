/**
 * Watches a state: first the state, then its changes, by one cursor over offsets. A key that changes during the watch
 * appears again at its new offset, so no change is missed. A key that changes ten times while a slow watcher waits
 * appears once, since the query leaves out all but the latest record. So there is no queue that could overflow.
 *
 *   snapshot ──its cursor reached the first head──▶ changes ──its cursor reached the head seen then──▶ live
 *       any ──topic closed and everything sent──▶ ended
 *   changes or live ──tombstones ahead of its cursor were purged──▶ reset, then snapshot
 *
 * A topic may change faster than a watcher reads, so that the watcher would never reach the head. Therefore it walks at
 * most twice before it is live: to the head at its start, and then to the head at that time, for keys that changed
 * during the first walk.
 *
 * The snapshot has only wanted records. Later, a changed key that is not wanted is sent as `left`, since the watcher
 * may have it from before.
 */

import { epochMismatch, offsetOutOfRange, type Position, type Rectangle } from "../../core/index.js";
import type { Head, StatePageRead, StateSearchRead, StoredTopic } from "../../store/index.js";
import type { LiveStream } from "../../telemetry/index.js";
import { type KeepFrame, StoredRecord, thinPage, unexpiredAt } from "../../wire/index.js";
import { overError, type Topic } from "../topics/topic.js";
import { type PageSource, type ReadingParts, type ReaderStep, streamPages, type Taken } from "./page-stream.js";
import { keptOf, observed, recordsWithin, requireState, StateSearch } from "./state.js";
import { selectionOf, type SplitSelection } from "./state-selection.js";
import type { Filter } from "../../filter/index.js";
import type { PageMessage } from "../topics/page-message.js";

/** A page of a watch. */
export interface WatchPage extends PageMessage {
  /** Keys that are no longer wanted. */
  readonly left: readonly string[];
}

export interface WatchStateCommand {
  readonly topic: string;
  readonly keyPrefix: string;
  /** Only records inside it. */
  readonly rectangle: Rectangle | undefined;
  /** Only records that match. */
  readonly filter: Filter | undefined;
  /** Undefined: from the whole state on. */
  readonly start: Position | undefined;
  /** Without the present state. Never together with `start`. */
  readonly changesOnly: boolean;
  /** Without removed keys, and without keys that are no longer wanted. */
  readonly withoutTombstones: boolean;
}

export type WatchMessage =
  | WatchPage
  | { readonly kind: "snapshot-end"; readonly next: Position }
  /** Some removals are no longer known. The client forgets everything before, and the whole state follows. */
  | { readonly kind: "reset"; readonly next: Position }
  | { readonly kind: "heartbeat"; readonly next: Position }
  | { readonly kind: "closed"; readonly next: Position };

export function watchState(
  parts: ReadingParts,
  command: WatchStateCommand,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<WatchMessage, void, undefined> {
  const fresh = (topic: Topic, stored: StoredTopic): WatchSource => {
    requireState(stored);
    checkStart(command, topic, stored.head);
    return new WatchSource(parts, command, { topic, head: stored.head });
  };
  return streamPages(parts, { topic: command.topic, stream, signal }, { fresh });
}

function checkStart({ start }: WatchStateCommand, topic: Topic, head: Head): void {
  if (start === undefined) return;
  if (start.epoch !== 0 && start.epoch !== topic.epoch) throw epochMismatch(topic.name, start.epoch, topic.epoch);
  if (start.offset > head.nextOffset) throw offsetOutOfRange(topic.name, start.offset, head);
}

/** A page of the state below the head at the start, or of the changes since the cursor. */
type WatchOutcome =
  | { readonly of: "snapshot"; readonly read: StateSearchRead }
  | { readonly of: "changes"; readonly read: StatePageRead; readonly nowMicros: number };

class WatchSource implements PageSource<WatchMessage, WatchOutcome> {
  /** The first offset that was not sent. */
  offset: number;
  readonly #parts: ReadingParts;
  readonly #topic: Topic;
  readonly #selection: SplitSelection;
  /**
   * Tombstones below it remove only records that this watcher never got. For a watcher without tombstones that is all
   * of them.
   */
  #tombstonesFrom: number;
  readonly #withoutTombstones: boolean;
  #phase: "snapshot" | "changes" | "live" | "ended";
  /** The snapshot is the state below this offset. */
  #snapshotUntil: number;
  /** The end of the second walk; known when the first walk has ended. */
  #changesUntil: number | undefined;
  #search: StateSearch;

  constructor(
    parts: ReadingParts,
    command: WatchStateCommand,
    { topic, head }: { readonly topic: Topic; readonly head: Head },
  ) {
    const { start, changesOnly, withoutTombstones } = command;
    this.#parts = parts;
    this.#topic = topic;
    this.#selection = selectionOf(command);
    this.#search = new StateSearch(parts, topic, this.#selection);
    this.#withoutTombstones = withoutTombstones;
    this.#snapshotUntil = head.nextOffset;
    this.#phase = start === undefined && !changesOnly ? this.#firstPhase() : "changes";
    this.offset = start?.offset ?? (changesOnly ? head.nextOffset : 0);
    const needsTombstonesFrom = start === undefined ? head.nextOffset : 0;
    this.#tombstonesFrom = withoutTombstones ? Number.MAX_SAFE_INTEGER : needsTombstonesFrom;
    // A watcher counts as a follower, so that the head poll includes its topic.
    topic.followers += 1;
  }

  get end(): number {
    return this.#topic.tip.value.nextOffset;
  }

  step(): ReaderStep<WatchMessage> {
    if (this.#phase === "ended") return "end";
    if (this.#topic.isOver) throw overError(this.#topic);
    if (this.#phase === "live" && this.offset >= this.end) {
      if (this.#topic.tip.value.state === "open") return "wait";
      this.#phase = "ended";
      return { kind: "closed", next: this.#position() };
    }
    if (this.#phase === "changes" && this.offset >= (this.#changesUntil ?? Infinity)) return this.#goLive();
    return "read";
  }

  async read(bytes: number, signal: AbortSignal): Promise<WatchOutcome> {
    if (this.#phase === "snapshot") {
      const order = { by: "offset", from: this.offset, until: this.#snapshotUntil } as const;
      return { of: "snapshot", read: await this.#search.read(order, bytes, signal) };
    }
    const nowMicros = this.#parts.stampClock.now();
    const request = {
      topicId: this.#topic.topicId,
      prefix: this.#selection.prefix,
      unexpiredAt: nowMicros,
      from: this.offset,
      tombstonesFrom: this.#tombstonesFrom,
      records: recordsWithin(bytes, this.#topic),
      bytes,
    };
    const lane = this.#phase === "live" ? "live" : "history";
    const read = await this.#parts.lanes.run(lane, (store) => store.readStateChanges(request), signal);
    return { of: "changes", read: observed(this.#topic, read), nowMicros };
  }

  take(outcome: WatchOutcome): Taken<WatchMessage> {
    const bytes = outcome.read.page?.frames.length ?? 0;
    const message =
      outcome.of === "snapshot" ? this.#takeSnapshot(outcome.read) : this.#takeChanges(outcome.read, outcome.nowMicros);
    return { message, bytes };
  }

  heartbeat(): WatchMessage {
    return { kind: "heartbeat", next: this.#position() };
  }

  leave(): void {
    this.#topic.followers -= 1;
  }

  /** If every record is wanted, the changes since the first offset are the snapshot. */
  #firstPhase(): "snapshot" | "changes" {
    const { rectangle, keep } = this.#selection;
    return rectangle === undefined && keep === undefined ? "changes" : "snapshot";
  }

  /** A page of the state below the head at the start. Undefined: the walk has ended, and the page was empty. */
  #takeSnapshot({ page, reached }: StateSearchRead): WatchMessage | undefined {
    if (reached === undefined) this.#phase = "changes";
    this.offset = reached === undefined ? this.#snapshotUntil : reached.offset + 1;
    const { runs, records } = page ? keptOf(page, this.#selection.keepFound) : { runs: [], records: 0 };
    return records > 0 || this.#phase === "snapshot" ? this.#page(runs, records) : undefined;
  }

  /** A page of the changes since the cursor. Gives snapshot-end when this walk ends for the first time. */
  #takeChanges({ head, page }: StatePageRead, nowMicros: number): WatchMessage | undefined {
    if (this.offset >= this.#snapshotUntil) this.#changesUntil ??= head.nextOffset;
    // From here on the watcher depends on tombstones, and some that it has not passed were purged.
    if (head.tombstonesFrom > Math.max(this.offset, this.#tombstonesFrom)) return this.#startOver(head);
    if (page === undefined) {
      // Nothing is left below the head that this statement saw.
      this.offset = Math.max(this.offset, head.nextOffset);
      return this.#phase === "live" ? undefined : this.#goLive();
    }
    this.offset = page.lastOffset + 1;
    // A watcher that is catching up gets its position with every page. A live one need not learn of every change.
    if (page.records === 0) return this.#phase === "live" ? undefined : this.#page([], 0);
    const keep = this.#keepAt(nowMicros);
    if (keep === undefined) return this.#page([page.frames], page.records);
    const left: string[] = [];
    const kept = thinPage(page.frames, keepOrNote(keep, left));
    return this.#page(kept.runs, kept.records, this.#withoutTombstones ? [] : left);
  }

  #goLive(): WatchMessage {
    this.#phase = "live";
    return { kind: "snapshot-end", next: this.#position() };
  }

  /**
   * Begins again with the present state. A client that resumes from this message's position has to start over once
   * more, since some tombstones from there on were purged.
   */
  #startOver(head: Head): WatchMessage {
    this.#phase = this.#firstPhase();
    this.#search = new StateSearch(this.#parts, this.#topic, this.#selection);
    this.#changesUntil = undefined;
    this.#snapshotUntil = head.nextOffset;
    this.#tombstonesFrom = head.nextOffset;
    this.offset = 0;
    return { kind: "reset", next: this.#position() };
  }

  /**
   * Selects wanted records that have not expired. A record that replaced a wanted one and then expired removes it, too.
   */
  #keepAt(nowMicros: number): KeepFrame | undefined {
    const { keep } = this.#selection;
    if (!this.#topic.isExpiring) return keep;
    const isUnexpired = unexpiredAt(nowMicros);
    return (bytes, start, end) => isUnexpired(bytes, start, end) && (keep?.(bytes, start, end) ?? true);
  }

  /** A page without records still tells how far the watcher is, unless there is something else to tell. */
  #page(runs: readonly Uint8Array[], records: number, left: readonly string[] = []): WatchMessage {
    return { kind: "page", runs, records, left, next: this.#position() };
  }

  #position(): Position {
    return { epoch: this.#topic.epoch, offset: this.offset };
  }
}

/** Keeps wanted records and those that remove a key, and collects the keys of the rest. */
function keepOrNote(keep: KeepFrame, left: string[]): KeepFrame {
  const record = new StoredRecord();
  return (bytes, start, end) => {
    const { key, isTombstone } = record.walk(bytes, start, end);
    if (isTombstone || keep(bytes, start, end)) return true;
    left.push(key);
    return false;
  };
}
