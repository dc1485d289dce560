/** The methods of TopicService: topics from their creation to their deletion. */

import {
  checkTopicName,
  checkTopicPrefix,
  epochMismatch,
  invalidArgument,
  type MillraceError,
  offsetOutOfRange,
  topicExists,
  topicNotFound,
  type Retention,
} from "../../core/index.js";
import type { StoredTopic, StoredLimits, TopicChange } from "../../store/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import { timeAt } from "../reading/start-offset.js";
import { randomEpoch } from "../topics/find-or-create.js";
import type { TopicCache } from "../topics/topic-cache.js";

/** A topic as it is described to users. */
export interface TopicDescription extends StoredTopic {
  /** Time of the oldest kept record. Absent when none is kept. */
  readonly firstTimeMicros: number | undefined;
}

/** What an update changes. Absent fields stay. */
export interface TopicUpdate extends Omit<TopicChange, "keyed"> {
  readonly keyed?: boolean;
}

/** Topics, from their creation to their deletion. Checks names (`invalid-argument`). */
export interface Topics {
  /** Errors: `topic-exists`. */
  create(topic: {
    readonly name: string;
    readonly labels: ReadonlyMap<string, string>;
    readonly limits: StoredLimits;
    readonly retention: Retention;
    readonly keyed: boolean;
  }): Promise<TopicDescription>;
  /** Errors of this and the following: `topic-not-found`. */
  get(name: string): Promise<TopicDescription>;
  /** By name, up to `count`, and whether more follow. `after` is exclusive. */
  list(request: {
    readonly prefix: string;
    readonly after: string;
    readonly count: number;
  }): Promise<{ readonly topics: readonly TopicDescription[]; readonly hasMore: boolean }>;
  /** Errors: `invalid-argument` if `keyed` is false and the topic is keyed, since that cannot be undone. */
  update(name: string, change: TopicUpdate): Promise<TopicDescription>;
  /** Errors: `epoch-mismatch`; `offset-out-of-range` above the next offset. `epoch` 0 is not checked. */
  trim(name: string, beforeOffset: number, epoch: number): Promise<TopicDescription>;
  close(name: string): Promise<TopicDescription>;
  /** Errors: `epoch-mismatch`. */
  delete(name: string, epoch: number): Promise<void>;
}

export interface TopicControlParts {
  readonly lanes: DatabaseLanes;
  readonly cache: TopicCache;
  /** Called when rows wait to be deleted. */
  readonly onTrimmed: () => void;
  /** Called when a topic's retention changed. */
  readonly onRetained: () => void;
  /** Called when there is a state to build. */
  readonly onTurnedKeyed: () => void;
}

export function createTopicControl(parts: TopicControlParts): Topics {
  const { lanes, cache } = parts;

  async function find(name: string): Promise<StoredTopic> {
    const stored = await lanes.run("live", (store) => store.findTopic(checkTopicName(name)));
    if (stored === undefined) throw topicNotFound(name);
    return stored;
  }

  /** The time of the oldest kept record stands in its frame. */
  async function describe(stored: StoredTopic): Promise<TopicDescription> {
    const { head } = stored;
    const isEmpty = head.nextOffset === head.earliestOffset;
    const firstTimeMicros = isEmpty ? undefined : await timeAt(head, head.earliestOffset, lanes);
    return { ...stored, firstTimeMicros };
  }

  /** Changes a topic that was found and may be deleted by now. */
  async function change(
    name: string,
    apply: (found: StoredTopic) => Promise<StoredTopic | undefined>,
    check?: (found: StoredTopic) => MillraceError | undefined,
  ): Promise<TopicDescription> {
    const found = await find(name);
    const error = check?.(found);
    if (error !== undefined) throw error;
    const changed = await apply(found);
    if (changed === undefined) throw topicNotFound(name);
    cache.observe(changed);
    return describe(changed);
  }

  return {
    async create(topic) {
      checkTopicName(topic.name);
      const created = await lanes.run("append", (store) => store.createTopic({ ...topic, epoch: randomEpoch() }));
      if (created === "exists") throw topicExists(topic.name);
      return { ...created, firstTimeMicros: undefined };
    },
    get: async (name) => describe(await find(name)),
    async list(request) {
      checkTopicPrefix(request.prefix, "prefix");
      checkTopicPrefix(request.after, "page_token");
      const found = await lanes.run("live", (store) => store.listTopics({ ...request, count: request.count + 1 }));
      const topics: TopicDescription[] = [];
      for (const stored of found.slice(0, request.count)) topics.push(await describe(stored));
      return { topics, hasMore: found.length > request.count };
    },
    async update(name, { keyed, ...settings }) {
      const turned = keyed === true ? { ...settings, keyed } : settings;
      const updated = await change(
        name,
        ({ head }) => lanes.run("append", (store) => store.updateTopic(head.topicId, turned)),
        ({ head }) => (keyed === false && head.keyed ? cannotTurnOff() : undefined),
      );
      if (updated.stateBuild !== undefined) parts.onTurnedKeyed();
      if (settings.retention !== undefined) parts.onRetained();
      return updated;
    },
    async trim(name, beforeOffset, epoch) {
      const trimmed = await change(
        name,
        ({ head }) => lanes.run("append", (store) => store.trimTopic(head.topicId, beforeOffset)),
        ({ head }) => {
          if (epoch !== 0 && epoch !== head.epoch) return epochMismatch(name, epoch, head.epoch);
          return beforeOffset > head.nextOffset ? offsetOutOfRange(name, beforeOffset, head) : undefined;
        },
      );
      parts.onTrimmed();
      return trimmed;
    },
    close: (name) => change(name, ({ head }) => lanes.run("append", (store) => store.closeTopic(head.topicId))),
    async delete(name, epoch) {
      const { head } = await find(name);
      if (epoch !== 0 && epoch !== head.epoch) throw epochMismatch(name, epoch, head.epoch);
      const isDeleted = await lanes.run("append", (store) => store.deleteTopic(head.topicId));
      cache.markDeleted(name, head.topicId);
      if (!isDeleted) throw topicNotFound(name);
      parts.onTrimmed();
    },
  };
}

function cannotTurnOff(): MillraceError {
  return invalidArgument(
    "keyed",
    "cannot be turned off again: readers rely on the state. Create another topic without it",
  );
}
