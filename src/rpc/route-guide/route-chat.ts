/**
 * Notes at places. One cursor over the topic of notes, a follower's, is all that a call knows of what was written: what is
 * below it is history, and what comes from it on is live. A note that comes in at a new place is answered with what a read
 * finds there below the cursor, and from the cursor on the place is heard of: nothing is missed between the two, and
 * nothing comes twice.
 *
 * No note is kept in the process, and no topic a place. What that costs: for the first note of a call at a place the
 * database walks over the newest `routeGuideHistory` notes, of which only those at the place are sent here; and every
 * call looks at the key of every live note.
 *
 * A call's own notes carry its name, by which they are told from the live ones of others. They come back as earlier ones,
 * with the call's next note at their place: so it remembers one of them a place, by its offset.
 */

import { randomBytes } from "node:crypto";
import { invalidArgument, type Limits, MillraceError, type Position, topicNotFound } from "../../core/index.js";
import type { Engine, FollowMessage, PublishBatch } from "../../engine/index.js";
import type { Point, RouteNote } from "../../gen/routeguide/route_guide.js";
import { abortable, concat, select } from "../../streams/index.js";
import { decodeFrames } from "../../wire/index.js";
import type { CallContext } from "../method.js";
import {
  batchOfNote,
  batchOfNothing,
  type BatchLimits,
  checkMessage,
  isWrittenBy,
  noteOfRecord,
  notesAt,
} from "./route-note.js";
import { checkPoint, keyOfPoint } from "./route-point.js";

export interface RouteChatParts {
  readonly engine: Pick<Engine, "topics" | "append" | "publish" | "read" | "follow">;
  /** The topic of notes. */
  readonly topic: string;
  readonly limits: BatchLimits & Pick<Limits, "routeGuideHistory" | "routeGuidePlaces">;
}

type Notes = AsyncGenerator<RouteNote, void, undefined>;

/** Stands behind the last of a client's notes. */
const halfClose = undefined;

/** Ends when the client has half-closed and was sent what was recorded at its places before that. */
export async function* routeChat(
  parts: RouteChatParts,
  notes: AsyncIterableIterator<RouteNote, undefined>,
  context: CallContext,
): Notes {
  // Who writes nothing hears nothing.
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
    // Parked in a wait, a generator hears of its signal alone; and one that was never asked is closed by nobody else.
    leaving.abort();
    await live.return();
  }
}

interface Following {
  readonly start: Position;
  readonly live: AsyncGenerator<FollowMessage, void, undefined>;
}

/** Follows the notes from their end. The first note ever creates the topic, where publishing does. */
async function followNotes(parts: RouteChatParts, context: CallContext, signal: AbortSignal): Promise<Following> {
  const following = await tryFollow(parts, context, signal);
  if (following !== undefined) return following;
  // As a Publish call without a record does.
  const opening = { topic: parts.topic, producer: undefined, epoch: 0 };
  for await (const _ of parts.engine.publish(opening, noRecords(parts), context.stream, signal)) break;
  const created = await tryFollow(parts, context, signal);
  if (created === undefined) throw topicNotFound(parts.topic);
  return created;
}

/** Undefined: there is no topic. */
async function tryFollow(
  { engine, topic }: RouteChatParts,
  context: CallContext,
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
  readonly #context: CallContext;
  readonly #epoch: number;
  readonly #name = randomBytes(12).toString("base64url");
  /** The places where this call has written, by their keys, with the offset of its last note there. */
  readonly #places = new Map<string, number>();
  /** All notes below it were looked at. */
  #cursor: number;
  /** Where the call ends, once it is known. */
  #end = Number.POSITIVE_INFINITY;

  constructor(parts: RouteChatParts, start: Position, context: CallContext) {
    this.#parts = parts;
    this.#context = context;
    this.#epoch = start.epoch;
    this.#cursor = start.offset;
  }

  get isOver(): boolean {
    return this.#cursor >= this.#end;
  }

  /** The earlier notes at its place; then it is recorded. */
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

  /** What others have written at places where this call has. */
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

  /** The client has half-closed: what is recorded by now is due, and nothing behind it. */
  async findEnd(): Promise<void> {
    // The notes end when the node drains, too: then this throws.
    const { head } = await abortable(this.#parts.engine.topics.get(this.#parts.topic), this.#context.signal);
    // Of a topic that was created again nothing is due; the follower tells that the old one is gone.
    if (head.epoch === this.#epoch) this.#end = head.nextOffset;
  }

  /** What a call remembers is bounded. */
  #checkRoom(): void {
    const { routeGuidePlaces: most } = this.#parts.limits;
    if (this.#places.size < most) return;
    const text = `is one place too many: a call writes at ${most} at most (MILLRACE_ROUTE_GUIDE_PLACES); open another`;
    throw invalidArgument("location", text);
  }

  /** The notes at a place in a range of offsets. Those that are no longer kept are passed over. */
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
