/**
 * The topics that this node knows. A topic stays in memory while it is in use. A bounded number of unused topics stay
 * as well; the one unused for longest is removed first.
 */

import { checkTopicName, effectiveRetention, type Limits, topicNotFound } from "../../core/index.js";
import type { StoredTopic } from "../../store/index.js";
import { abortable } from "../../streams/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { createFindOrCreate, type FindOrCreate } from "./find-or-create.js";
import { defaultRetention, effectiveLimits, type Topic } from "./topic.js";

/** What the cache needs to know of the writer of a topic. `writing/` adds the rest. */
export interface TopicWriter {
  /** Bytes that wait for their commit, and how many may wait. */
  readonly waiting: { readonly bytes: number; readonly capacity: number };
  /** Finishes the commit under way, and refuses the batches that wait. */
  close(): Promise<void>;
}

/** A topic with what writes to it. */
export interface OpenTopic<Writer extends TopicWriter = TopicWriter> {
  readonly topic: Topic;
  readonly writer: Writer;
}

/** A use of a topic, which stays in memory until the use is released. */
export interface TopicLease<Writer extends TopicWriter = TopicWriter> extends OpenTopic<Writer> {
  /** Only the first call has an effect. */
  release(): void;
}

interface Entry<Writer extends TopicWriter> extends OpenTopic<Writer> {
  users: number;
}

export interface TopicCacheParts<Writer extends TopicWriter> {
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  /** Whether publishing creates topics. */
  readonly autoCreate: boolean;
  readonly open: (stored: StoredTopic, onOver: (topic: Topic) => void) => OpenTopic<Writer>;
  /** Takes a background promise that the engine's close waits for. */
  readonly track: (task: Promise<unknown>) => void;
}

export class TopicCache<Writer extends TopicWriter = TopicWriter> {
  readonly #parts: TopicCacheParts<Writer>;
  readonly #findOrCreate: FindOrCreate;
  readonly #entries = new Map<string, Entry<Writer>>();
  /** A Set keeps insertion order: the topic unused for longest is first. */
  readonly #idle = new Set<Entry<Writer>>();

  constructor(parts: TopicCacheParts<Writer>) {
    this.#parts = parts;
    this.#findOrCreate = createFindOrCreate(parts);
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The topic of a name as this node knows it. An unknown name is looked up, and the topic is created where publishing
   * may create it. `peer` is the address that the creation is counted for; undefined: none. Errors of this and the next
   * method: `invalid-argument` for a name that breaks the rules of names.
   */
  async acquireForPublish(name: string, peer: string | undefined, signal?: AbortSignal): Promise<TopicLease<Writer>> {
    const known = this.#entries.get(checkTopicName(name));
    if (known !== undefined && !known.topic.isOver) return this.#lease(known);
    if (known !== undefined) this.forget(known.topic);
    const stored = await abortable(this.#findOrCreate(name, peer), signal);
    return this.#lease(this.#newerThan(stored) ?? this.#adopt(stored, 0));
  }

  /**
   * The topic of a name as this node knows it, without a lookup. Undefined: it knows none. The name may mean another topic
   * by now. The caller finds out by its own statement, which asks for the topic's id: a topic created again has a new id.
   */
  acquireKnown(name: string): TopicLease<Writer> | undefined {
    const known = this.#entries.get(checkTopicName(name));
    return known === undefined || known.topic.isOver ? undefined : this.#lease(known);
  }

  /** The topic of a name as the database has it now, and its row as it was read. Throws `topic-not-found`. */
  async acquireFresh(
    name: string,
    signal?: AbortSignal,
  ): Promise<{ readonly lease: TopicLease<Writer>; readonly stored: StoredTopic }> {
    const { entry, stored } = await this.#findFresh(checkTopicName(name), signal);
    return { lease: this.#lease(entry), stored };
  }

  /** Takes over what a control statement read. */
  observe(stored: StoredTopic): void {
    if (this.#entries.has(stored.name) && this.#newerThan(stored) === undefined) this.#adopt(stored, 0);
  }

  /** Removes a deleted topic and tells its followers. The name is looked up again on its next use. */
  markDeleted(name: string, topicId: number): void {
    const topic = this.#entries.get(name)?.topic;
    if (topic?.topicId !== topicId) return;
    topic.markDeleted();
    this.forget(topic);
  }

  /** Removes a topic whose name no longer means it. */
  readonly forget = (topic: Topic): void => {
    const entry = this.#entries.get(topic.name);
    if (entry?.topic !== topic) return;
    this.#entries.delete(topic.name);
    this.#retire(entry);
  };

  /** All topics in memory. */
  open(): readonly OpenTopic<Writer>[] {
    return [...this.#entries.values()];
  }

  /** Topics that have followers. */
  followed(): readonly OpenTopic<Writer>[] {
    return this.open().filter(({ topic }) => topic.followers > 0);
  }

  /** Closes every writer. */
  async close(): Promise<void> {
    await Promise.all(this.open().map(({ writer }) => writer.close()));
    this.#entries.clear();
  }

  #lease(entry: Entry<Writer>): TopicLease<Writer> {
    entry.users += 1;
    this.#idle.delete(entry);
    let isHeld = true;
    return {
      topic: entry.topic,
      writer: entry.writer,
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        entry.users -= 1;
        if (entry.users > 0) return;
        if (this.#entries.get(entry.topic.name) !== entry) return this.#retire(entry);
        this.#idle.add(entry);
        this.#evictIdle();
      },
    };
  }

  #evictIdle(): void {
    for (const entry of this.#idle) {
      if (this.#idle.size <= this.#parts.limits.idleTopics) return;
      this.#entries.delete(entry.topic.name);
      this.#retire(entry);
    }
  }

  #retire(entry: Entry<Writer>): void {
    if (entry.users > 0) return;
    this.#idle.delete(entry);
    entry.topic.tail.restart(entry.topic.tip.value.nextOffset);
    this.#parts.track(entry.writer.close());
  }

  /** The entry for a row: the known entry, moved on, or a new one. `nextBefore` as in `Topic.observe`. */
  #adopt(stored: StoredTopic, nextBefore: number): Entry<Writer> {
    const { limits } = this.#parts;
    const known = this.#entries.get(stored.name);
    if (known !== undefined && known.topic.topicId === stored.head.topicId && !known.topic.isOver) {
      known.topic.observe(stored.head, nextBefore);
      if (stored.head.version >= known.topic.settingsVersion) {
        known.topic.limits = effectiveLimits(stored, limits);
        known.topic.retention = effectiveRetention(stored.retention, defaultRetention(limits));
        known.topic.settingsVersion = stored.head.version;
      }
      if (!known.topic.isOver) return known;
    }
    if (known !== undefined) {
      if (known.topic.topicId !== stored.head.topicId) known.topic.markDeleted();
      this.forget(known.topic);
    }
    const entry: Entry<Writer> = { ...this.#parts.open(stored, this.forget), users: 0 };
    this.#entries.set(stored.name, entry);
    return entry;
  }

  /**
   * The known entry, if it is newer than a row that a slow statement read. A topic that was deleted and created again
   * has a higher id.
   */
  #newerThan(stored: StoredTopic): Entry<Writer> | undefined {
    const known = this.#entries.get(stored.name);
    return known !== undefined && !known.topic.isOver && known.topic.topicId > stored.head.topicId ? known : undefined;
  }

  /**
   * Looks a name up. The row is compared only with the topic that was known when the statement was sent. Another lookup
   * may have found another incarnation of the topic meanwhile, whose offsets say nothing about this one.
   */
  async #findFresh(
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly entry: Entry<Writer>; readonly stored: StoredTopic }> {
    for (;;) {
      const before = this.#entries.get(name)?.topic;
      const nextBefore = before?.tip.value.nextOffset ?? 0;
      const stored = await abortable(
        this.#parts.lanes.run("live", (store) => store.findTopic(name), signal),
        signal,
      );
      if (stored === undefined) {
        before?.markDeleted();
        if (before !== undefined) this.forget(before);
        throw topicNotFound(name);
      }
      const { topicId } = stored.head;
      const known = this.#entries.get(name)?.topic;
      // Only another lookup can tell which of the two is newer.
      if (known !== undefined && known !== before && known.topicId !== topicId) continue;
      return { entry: this.#adopt(stored, before?.topicId === topicId ? nextBefore : 0), stored };
    }
  }
}
