/**
 * Notes at places. A call has one cursor over the topic of notes, that of its follower: notes below it are history,
 * notes from it on are live. A client's first note at a place is answered with a read of that place below the cursor.
 * From the cursor on, the call sends live notes at that place. So no note between the two is missed or repeated.
 *
 * The process keeps no notes, and there is no topic per place. This has a cost: for a call's first note at a place, the
 * database scans the newest `routeGuideHistory` notes and sends only those at the place. And every call checks the key
 * of every live note.
 *
 * A call's own notes carry its name, which tells them apart from live notes of others. When the call writes again at a
 * place, its last note there is sent back as an earlier one. So it remembers the offset of one own note per place.
 */

import { randomBytes } from "node:crypto";
import {
  type BatchLimits,
  invalidArgument,
  type Limits,
  MillraceError,
  type Position,
  topicNotFound,
} from "../../core/index.js";
import type { Engine, FollowMessage, PublishBatch } from "../../engine/index.js";
import type { Point, RouteNote } from "../../gen/routeguide/route_guide.js";
import { abortable, concat, select } from "../../streams/index.js";
import { decodeFrames } from "../../wire/index.js";
import type { MethodContext } from "../method.js";
import { batchOfNote, batchOfNothing, checkMessage, isWrittenBy, noteOfRecord, notesAt } from "./route-note.js";
import { checkPoint, keyOfPoint } from "./route-point.js";

export interface RouteChatParts {
  readonly engine: Pick<Engine, "topics" | "append" | "publish" | "read" | "follow">;
  /** The topic of notes. */
  readonly topic: string;
  readonly limits: BatchLimits & Pick<Limits, "routeGuideHistory" | "routeGuidePlaces">;
}

type Notes = AsyncGenerator<RouteNote, void, undefined>;

/** Marks the end of a client's notes. */
const halfClose = undefined;

/** Ends when the client has half-closed and has received all notes that were recorded at its places before that. */
export async function* routeChat(
  parts: RouteChatParts,
  notes: AsyncIterableIterator<RouteNote, undefined>,
  context: MethodContext,
): Notes {
  // A client that writes no note receives none.
  const first = await notes.next();
  if (first.done === true) return;
  const leaving = new AbortController();
  const signal = AbortSignal.any([context.signal, leaving.signal]);
  const { start, live } = await followNotes(parts, context, signal);
  try {
    const chat = new Chat(parts, start, context);
    for await (const event of select({ note: concat([first.value], notes, [halfClose]), live })) {
      if (event.branch === "live") yield* chat.hear(event.item);
      else if (event.item === halfClose) await chat.findEnd();
      else yield* chat.answer(event.item);
      if (chat.isOver) return;
    }
  } finally {
    // Both are needed: only the signal ends a generator in a wait, and only `return` ends one that was never pulled.
    leaving.abort();
    await live.return();
  }
}

interface Following {
  readonly start: Position;
  readonly live: AsyncGenerator<FollowMessage, void, undefined>;
}

/** Follows the notes from their end. Creates the topic if it does not exist and publishing may create topics. */
async function followNotes(parts: RouteChatParts, context: MethodContext, signal: AbortSignal): Promise<Following> {
  const following = await tryFollow(parts, context, signal);
  if (following !== undefined) return following;
  // A Publish call without records creates the topic.
  const opening = { topic: parts.topic, producer: undefined, epoch: 0 };
  for await (const _ of parts.engine.publish(opening, noRecords(parts), context.stream, signal)) break;
  const created = await tryFollow(parts, context, signal);
  if (created === undefined) throw topicNotFound(parts.topic);
  return created;
}

/** Undefined: the topic does not exist. */
async function tryFollow(
  { engine, topic }: RouteChatParts,
  context: MethodContext,
  signal: AbortSignal,
): Promise<Following | undefined> {
  const start = { at: "latest" } as const;
  const command = { topic, start, whenBehind: "catch-up", whenTrimmed: "skip", filter: undefined } as const;
  const live = engine.follow(command, context.stream, signal);
  try {
    const started = await live.next();
    return started.done === true ? undefined : { start: started.value.next, live };
  } catch (error) {
    if (error instanceof MillraceError && error.code === "topic-not-found") return undefined;
    throw error;
  }
}

async function* noRecords({ limits }: RouteChatParts): AsyncGenerator<PublishBatch, void, undefined> {
  yield { batch: batchOfNothing(limits), expectedOffset: undefined };
}

class Chat {
  readonly #parts: RouteChatParts;
  readonly #context: MethodContext;
  readonly #epoch: number;
  readonly #name = randomBytes(12).toString("base64url");
  /** The offset of this call's last note at each of its places, by the place's key. */
  readonly #places = new Map<string, number>();
  /** All live notes below it were handled. */
  #cursor: number;
  /** The offset at which the call ends, once known. */
  #end = Number.POSITIVE_INFINITY;

  constructor(parts: RouteChatParts, start: Position, context: MethodContext) {
    this.#parts = parts;
    this.#context = context;
    this.#epoch = start.epoch;
    this.#cursor = start.offset;
  }

  get isOver(): boolean {
    return this.#cursor >= this.#end;
  }

  /** Gives the earlier notes at the place of a note, then records the note. */
  async *answer(note: RouteNote): Notes {
    const { engine, topic, limits } = this.#parts;
    const location = checkPoint(note.location, "location");
    const message = checkMessage(note.message, limits.recordBytes);
    const key = keyOfPoint(location);
    const ownOffset = this.#places.get(key);
    if (ownOffset !== undefined) {
      yield* this.#read(location, ownOffset, ownOffset + 1);
    } else {
      this.#checkRoom();
      yield* this.#read(location, Math.max(0, this.#cursor - limits.routeGuideHistory), this.#cursor);
    }
    const batch = batchOfNote({ location, message }, this.#name, limits);
    const command = { topic, batch, expectedOffset: undefined, producer: undefined, epoch: this.#epoch };
    const { firstOffset } = await engine.append(command, this.#context.signal);
    this.#places.set(key, firstOffset);
  }

  /** Gives live notes of others at this call's places. */
  *hear(message: FollowMessage): Generator<RouteNote, void, undefined> {
    if (message.kind === "page") {
      for (const record of decodeFrames(message.runs)) {
        if (!this.#places.has(record.key) || isWrittenBy(this.#name, record)) continue;
        const note = noteOfRecord(record);
        if (note !== undefined) yield note;
      }
    }
    this.#cursor = message.next.offset;
  }

  /** The client has half-closed: the call ends at the topic's present end. */
  async findEnd(): Promise<void> {
    // A drain also ends the notes, but aborts the signal, so this throws.
    const { head } = await abortable(this.#parts.engine.topics.get(this.#parts.topic), this.#context.signal);
    // If the topic was created again, the follower reports that the old one is gone.
    if (head.epoch === this.#epoch) this.#end = head.nextOffset;
  }

  /** Bounds the places that a call remembers. */
  #checkRoom(): void {
    const { routeGuidePlaces: placesMax } = this.#parts.limits;
    if (this.#places.size < placesMax) return;
    const text = `is one place too many: a call may write at ${placesMax} places (MILLRACE_ROUTE_GUIDE_PLACES); open another call`;
    throw invalidArgument("location", text);
  }

  /** The notes at a place in a range of offsets. Notes that are no longer kept are skipped. */
  async *#read(location: Point, from: number, until: number): Notes {
    if (from >= until) return;
    const command = {
      topic: this.#parts.topic,
      start: { at: "position", position: { epoch: this.#epoch, offset: from } },
      direction: "forward",
      until: { at: "offset", offset: until },
      limit: 0,
      whenTrimmed: "skip",
      filter: notesAt(location),
    } as const;
    for await (const message of this.#parts.engine.read(command, this.#context.stream, this.#context.signal)) {
      if (message.kind !== "page") continue;
      for (const record of decodeFrames(message.runs)) {
        const note = noteOfRecord(record);
        if (note !== undefined) yield note;
      }
    }
  }
}
