/**
 * Finds topics to publish to, and creates those that do not exist. Many clients may ask for many new names at once: names
 * share statements, and clients of one address share one lookup and one creation of a name.
 */

import { randomBytes } from "node:crypto";
import { type Limits, MillraceError, topicNotFound } from "../../core/index.js";
import type { AutoCreatedTopic, StoredTopic } from "../../store/index.js";
import { type DatabaseLanes, laneFull } from "../database-lanes.js";
import { createdByPeer, hostOf } from "./created-by-peer.js";
import { gather } from "./gather.js";

/** When this many lookups run, further names share one; and how many names may share it. */
const callsUnderWay = 2;
const topicsAtOnce = 256;

export interface FindOrCreateParts {
  readonly lanes: DatabaseLanes;
  readonly limits: Limits;
  /** Whether publishing creates topics. */
  readonly autoCreate: boolean;
}

/** `peer` is the address that a creation is counted for; undefined: none. Errors: `topic-not-found`, `topic-limit`. */
export type FindOrCreate = (name: string, peer: string | undefined) => Promise<StoredTopic>;

/** Below 2^48, so that it is an exact number in every language, and never 0. */
export function randomEpoch(): number {
  return randomBytes(6).readUIntBE(0, 6) || 1;
}

export function createFindOrCreate(parts: FindOrCreateParts): FindOrCreate {
  const { limits, autoCreate } = parts;
  const lookups = new Map<string, Promise<StoredTopic>>();
  const created = createdByPeer(limits.autoCreatedTopicsPeer);
  const { find, create } = gatheredStatements(parts);

  async function findOrCreate(name: string, peer: string | undefined): Promise<StoredTopic> {
    const found = await find(name);
    if (found !== undefined) return found;
    if (!autoCreate) throw topicNotFound(name);
    // Counted before the creation, since many may run at once.
    if (peer !== undefined && !created.take(peer)) throw tooManyCreated(name, limits, "peer");
    const epoch = randomEpoch();
    let topic: StoredTopic | undefined;
    try {
      topic = await create({ name, epoch });
    } finally {
      // Another client may have created the topic first.
      if (peer !== undefined && topic?.head.epoch !== epoch) created.giveBack(peer);
    }
    if (topic === undefined) throw tooManyCreated(name, limits, "all");
    return topic;
  }

  return (name, peer) => {
    const key = `${name} ${peer === undefined ? "" : hostOf(peer)}`;
    let lookup = lookups.get(key);
    if (lookup === undefined) {
      lookup = findOrCreate(name, peer).finally(() => lookups.delete(key));
      lookups.set(key, lookup);
    }
    return lookup;
  };
}

function gatheredStatements({ lanes, limits }: Pick<FindOrCreateParts, "lanes" | "limits">) {
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
  return {
    find: (name: string) => finding.ask(name),
    create: (topic: AutoCreatedTopic) => creating.ask(topic),
  };
}

function tooManyCreated(name: string, limits: Limits, whose: "peer" | "all"): MillraceError {
  const [limit, how, setting] =
    whose === "peer"
      ? [limits.autoCreatedTopicsPeer, "by clients of this address", "_PEER"]
      : [limits.autoCreatedTopics, "that way", ""];
  return new MillraceError(
    "topic-limit",
    `Cannot create topic "${name}" by publishing: ${limit} were created ${how} (MILLRACE_AUTO_CREATED_TOPICS${setting}). Create it with TopicService.CreateTopic`,
    { metadata: { topic: name, limit: String(limit) } },
  );
}
