/**
 * The topics that this node knows. A topic stays in memory while it is in use. A bounded number of unused topics stay
 * as well; the one unused for longest is removed first.
 */

import { randomBytes } from "node:crypto";
import { checkTopicName, effectiveRetention, type Limits, MillraceError, topicNotFound } from "../../core/index.js";
import type { AutoCreatedTopic, StoredTopic } from "../../store/index.js";
import { abortable } from "../../streams/index.js";
import { createdByPeer, hostOf } from "./created-by-peer.js";
import { type DatabaseLanes, laneFull } from "../database-lanes.js";
import { gather } from "./gather.js";
import { defaultRetention, effectiveLimits, type Topic } from "./topic.js";

/** When this many lookups run, further names share one; and how many names may share it. */
const callsUnderWay = 2;
const topicsAtOnce = 256;

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

export interface TopicCache<Writer extends TopicWriter = TopicWriter> {
  readonly size: number;
  /**
   * The topic of a name as this node knows it. An unknown name is looked up, and the topic is created where publishing
   * may create it. `peer` is the address that the creation is counted for; undefined: none. Errors of this and the next
   * method: `invalid-argument` for a name that breaks the rules of names.
   */
  acquireForPublish(name: string, peer: string | undefined, signal?: AbortSignal): Promise<TopicLease<Writer>>;
  /**
   * The topic of a name as this node knows it, without a lookup. Undefined: it knows none. Whether the name still means
   * that topic shows the caller's own statement, by the topic's id: a topic that was created again has another one.
   */
  acquireKnown(name: string): TopicLease<Writer> | undefined;
  /** The topic of a name as the database has it now, and its row as it was read. Throws `topic-not-found`. */
  acquireFresh(
    name: string,
    signal?: AbortSignal,
  ): Promise<{ readonly lease: TopicLease<Writer>; readonly stored: StoredTopic }>;
  /** Takes over what a control statement read. */
  observe(stored: StoredTopic): void;
  /** Removes a deleted topic and tells its followers. The name is looked up again on its next use. */
  markDeleted(name: string, topicId: number): void;
  /** Removes a topic whose name no longer means it. */
  forget(topic: Topic): void;
  /** All topics in memory. */
  open(): readonly OpenTopic<Writer>[];
  /** Topics that have followers. */
  followed(): readonly OpenTopic<Writer>[];
  /** Closes every writer. */
  close(): Promise<void>;
}

interface Entry<Writer extends TopicWriter> extends OpenTopic<Writer> {
  users: number;
}

export interface TopicCacheParts<Writer extends TopicWriter> {
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  readonly autoCreate: boolean;
  readonly open: (stored: StoredTopic, onOver: (topic: Topic) => void) => OpenTopic<Writer>;
  /** Takes a background promise that the engine's close waits for. */
  readonly track: (task: Promise<unknown>) => void;
}

/** Below 2^48, so that it is an exact number in every language, and never 0. */
export function randomEpoch(): number {
  return randomBytes(6).readUIntBE(0, 6) || 1;
}

export function createTopicCache<Writer extends TopicWriter>(parts: TopicCacheParts<Writer>): TopicCache<Writer> {
  const { lanes, limits } = parts;
  const entries = new Map<string, Entry<Writer>>();
  // A Set keeps insertion order: the topic unused for longest is first.
  const idle = new Set<Entry<Writer>>();
  const lookups = new Map<string, Promise<StoredTopic>>();
  const created = createdByPeer(limits.autoCreatedTopicsPeer);

  function lease(entry: Entry<Writer>): TopicLease<Writer> {
    entry.users += 1;
    idle.delete(entry);
    let isHeld = true;
    return {
      topic: entry.topic,
      writer: entry.writer,
      release() {
        if (!isHeld) return;
        isHeld = false;
        entry.users -= 1;
        if (entry.users > 0) return;
        if (entries.get(entry.topic.name) !== entry) return retire(entry);
        idle.add(entry);
        evictIdle();
      },
    };
  }

  const finding = gather<string, StoredTopic | undefined>({
    calls: callsUnderWay,
    capacity: limits.laneQueue,
    full: () => laneFull("live", limits.laneQueue),
    fitting: (names) => Math.min(names.length, topicsAtOnce),
    async call(names) {
      const found = await lanes.run("live", (store) => store.findTopics(names));
      return names.map((name) => found.get(name));
    },
  });
  const creating = gather<AutoCreatedTopic, StoredTopic | undefined>({
    // Creations count the topics that exist, so they run one after the other anyway.
    calls: 1,
    capacity: limits.laneQueue,
    full: () => laneFull("append", limits.laneQueue),
    fitting: (topics) => Math.min(topics.length, topicsAtOnce),
    async call(topics) {
      const there = await lanes.run("append", (store) => store.createTopics(topics, limits.autoCreatedTopics));
      return topics.map(({ name }) => there.get(name));
    },
  });

  function evictIdle(): void {
    for (const entry of idle) {
      if (idle.size <= limits.idleTopics) return;
      entries.delete(entry.topic.name);
      retire(entry);
    }
  }

  function retire(entry: Entry<Writer>): void {
    if (entry.users > 0) return;
    idle.delete(entry);
    entry.topic.tail.restart(entry.topic.tip.value.nextOffset);
    parts.track(entry.writer.close());
  }

  function forget(topic: Topic): void {
    const entry = entries.get(topic.name);
    if (entry?.topic !== topic) return;
    entries.delete(topic.name);
    retire(entry);
  }

  /** The entry for a row: the known entry, moved on, or a new one. `nextBefore` as in `Topic.observe`. */
  function adopt(stored: StoredTopic, nextBefore: number): Entry<Writer> {
    const known = entries.get(stored.name);
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
      forget(known.topic);
    }
    const entry: Entry<Writer> = { ...parts.open(stored, forget), users: 0 };
    entries.set(stored.name, entry);
    return entry;
  }

  /**
   * The known entry, if it is newer than a row that a slow statement read. A topic that was deleted and created again
   * has a higher id.
   */
  function newerThan(stored: StoredTopic): Entry<Writer> | undefined {
    const known = entries.get(stored.name);
    return known !== undefined && !known.topic.isOver && known.topic.topicId > stored.head.topicId ? known : undefined;
  }

  /**
   * Looks a name up. The row is compared only with the topic that was known when the statement was sent. Another lookup
   * may have found another incarnation of the topic meanwhile, whose offsets say nothing about this one.
   */
  async function findFresh(
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<{ entry: Entry<Writer>; stored: StoredTopic }> {
    for (;;) {
      const before = entries.get(name)?.topic;
      const nextBefore = before?.tip.value.nextOffset ?? 0;
      const stored = await abortable(
        lanes.run("live", (store) => store.findTopic(name), signal),
        signal,
      );
      if (stored === undefined) {
        before?.markDeleted();
        if (before !== undefined) forget(before);
        throw topicNotFound(name);
      }
      const { topicId } = stored.head;
      const known = entries.get(name)?.topic;
      // Only another lookup can tell which of the two is newer.
      if (known !== undefined && known !== before && known.topicId !== topicId) continue;
      return { entry: adopt(stored, before?.topicId === topicId ? nextBefore : 0), stored };
    }
  }

  /** Many clients of one address may publish to a new name at once. They share one lookup and one creation. */
  function findOrCreateOnce(name: string, peer: string | undefined): Promise<StoredTopic> {
    const key = `${name} ${peer === undefined ? "" : hostOf(peer)}`;
    let lookup = lookups.get(key);
    if (lookup === undefined) {
      lookup = findOrCreate(name, peer).finally(() => lookups.delete(key));
      lookups.set(key, lookup);
    }
    return lookup;
  }

  async function findOrCreate(name: string, peer: string | undefined): Promise<StoredTopic> {
    const found = await finding.ask(name);
    if (found !== undefined) return found;
    if (!parts.autoCreate) throw topicNotFound(name);
    // Counted before the creation, since many may run at once.
    if (peer !== undefined && !created.take(peer)) {
      throw tooManyCreated(name, limits.autoCreatedTopicsPeer, "by clients of this address", "_PEER");
    }
    const epoch = randomEpoch();
    let topic: StoredTopic | undefined;
    try {
      topic = await creating.ask({ name, epoch });
    } finally {
      // Another client may have created the topic first.
      if (peer !== undefined && topic?.head.epoch !== epoch) created.giveBack(peer);
    }
    if (topic === undefined) throw tooManyCreated(name, limits.autoCreatedTopics, "that way", "");
    return topic;
  }

  return {
    get size() {
      return entries.size;
    },
    async acquireForPublish(name, peer, signal) {
      const known = entries.get(checkTopicName(name));
      if (known !== undefined && !known.topic.isOver) return lease(known);
      if (known !== undefined) forget(known.topic);
      const stored = await abortable(findOrCreateOnce(name, peer), signal);
      return lease(newerThan(stored) ?? adopt(stored, 0));
    },
    acquireKnown(name) {
      const known = entries.get(checkTopicName(name));
      return known === undefined || known.topic.isOver ? undefined : lease(known);
    },
    async acquireFresh(name, signal) {
      const { entry, stored } = await findFresh(checkTopicName(name), signal);
      return { lease: lease(entry), stored };
    },
    observe(stored) {
      if (entries.has(stored.name) && newerThan(stored) === undefined) adopt(stored, 0);
    },
    markDeleted(name, topicId) {
      const topic = entries.get(name)?.topic;
      if (topic?.topicId !== topicId) return;
      topic.markDeleted();
      forget(topic);
    },
    forget,
    open: () => [...entries.values()],
    followed() {
      const found: OpenTopic<Writer>[] = [];
      for (const entry of entries.values()) if (entry.topic.followers > 0) found.push(entry);
      return found;
    },
    async close() {
      await Promise.all([...entries.values()].map((entry) => entry.writer.close()));
      entries.clear();
    },
  };
}

function tooManyCreated(name: string, limit: number, how: string, setting: "" | "_PEER"): MillraceError {
  return new MillraceError(
    "topic-limit",
    `Cannot create topic "${name}" by publishing: ${limit} were created ${how} (MILLRACE_AUTO_CREATED_TOPICS${setting}). Create it with TopicService.CreateTopic`,
    { metadata: { topic: name, limit: String(limit) } },
  );
}
