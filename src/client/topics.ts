import {
  type Retention as RetentionMessage,
  type Topic as TopicMessage,
  type TopicLimits as LimitsMessage,
  TopicServiceService as Service,
} from "../gen/millrace/v1/topic_service.js";
import { encodeRetention } from "../wire/index.js";
import { clientError } from "./client-error.js";
import type { Connection, UnaryOptions } from "./connection.js";
import { wholeNumber } from "./start.js";
import { Topic } from "./topic.js";

/** Limits of one topic. Unset or 0 means the node's setting. */
export interface TopicLimits {
  /** Largest record, encoded, in bytes. */
  readonly recordBytes?: number | undefined;
  /** Largest batch, in records. */
  readonly batchRecords?: number | undefined;
  /** Largest batch, encoded, in bytes. */
  readonly batchBytes?: number | undefined;
}

/**
 * How much of its log a topic keeps. The oldest records beyond one of these bounds are deleted. 0: the node's default.
 */
export interface TopicRetention {
  /** The greatest age of a record: whole milliseconds, at least a second. */
  readonly ageMs?: number | undefined;
  /** The most records. */
  readonly records?: number | undefined;
  /** The most bytes of encoded records. */
  readonly bytes?: number | undefined;
}

/** Settings of a topic: given when it is created, and changed by an update. */
export interface TopicSettings {
  /** Labels for people and tools. An update replaces all of them. */
  readonly labels?: ReadonlyMap<string, string> | { readonly [name: string]: string } | undefined;
  /** An update replaces the limits that it names. */
  readonly limits?: TopicLimits | undefined;
  /** Does not affect a topic's state. An update replaces the bounds that it names. */
  readonly retention?: TopicRetention | undefined;
  /**
   * Whether the topic keeps its state: the latest record of each key. Default false. An update can turn this on, not
   * off. The state is then built in the background, while publishing continues; `Topic.stateBuild` reports the
   * progress.
   */
  readonly keyed?: boolean | undefined;
}

export interface EpochOptions extends UnaryOptions {
  /** The call is refused if the topic has another incarnation. */
  readonly epoch?: number | undefined;
}

/** Creates, describes, changes and removes topics. Calls throw a ClientError, or the signal's reason. */
export interface Topics {
  create(topic: string, settings?: TopicSettings & UnaryOptions): Promise<Topic>;
  get(topic: string, options?: UnaryOptions): Promise<Topic>;
  /** Topics whose names begin with `prefix`, by name. Pages are requested during the iteration. */
  list(options?: { readonly prefix?: string; readonly pageSize?: number } & UnaryOptions): AsyncGenerator<Topic, void>;
  /** Changes what `settings` names, and nothing else. */
  update(topic: string, settings: TopicSettings & UnaryOptions): Promise<Topic>;
  /** Deletes the records below an offset. */
  trim(topic: string, beforeOffset: number, options?: EpochOptions): Promise<Topic>;
  /** Nothing more can be appended afterwards, and followers end after the last record. */
  close(topic: string, options?: UnaryOptions): Promise<Topic>;
  delete(topic: string, options?: EpochOptions): Promise<void>;
}

export function topicsOf(connection: Connection): Topics {
  return {
    async create(topic, settings = {}) {
      const { labels, limits, keyed = false } = settings;
      const request = {
        topic,
        labels: labelsOf(labels),
        limits: limitsOf(limits),
        keyed,
        retention: retentionOf(settings.retention),
      };
      return described(await connection.unary(Service.createTopic, request, settings));
    },
    async get(topic, options) {
      return described(await connection.unary(Service.getTopic, { topic }, options));
    },
    async *list({ prefix = "", pageSize = 0, ...options } = {}) {
      let pageToken = "";
      do {
        const page = await connection.unary(Service.listTopics, { prefix, pageSize, pageToken }, options);
        for (const topic of page.topics) yield new Topic(topic);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
    },
    async update(topic, settings) {
      const request = {
        topic,
        labels: labelsOf(settings.labels),
        limits: limitsOf(settings.limits),
        keyed: settings.keyed === true,
        retention: retentionOf(settings.retention),
        updateMask: [...maskOf(settings)],
      };
      return described(await connection.unary(Service.updateTopic, request, settings));
    },
    async trim(topic, beforeOffset, options = {}) {
      const request = {
        topic,
        beforeOffset: wholeNumber(beforeOffset, "before_offset"),
        epoch: wholeNumber(options.epoch ?? 0, "epoch"),
      };
      return described(await connection.unary(Service.trimTopic, request, options));
    },
    async close(topic, options) {
      return described(await connection.unary(Service.closeTopic, { topic }, options));
    },
    async delete(topic, options = {}) {
      await connection.unary(Service.deleteTopic, { topic, epoch: wholeNumber(options.epoch ?? 0, "epoch") }, options);
    },
  };
}

function described({ topic }: { readonly topic: TopicMessage | undefined }): Topic {
  if (topic === undefined) throw clientError("INTERNAL", "The server answered without a topic");
  return new Topic(topic);
}

function labelsOf(labels: TopicSettings["labels"] = {}): Map<string, string> {
  return new Map(labels instanceof Map ? labels : Object.entries(labels));
}

function limitsOf(limits: TopicLimits | undefined): LimitsMessage | undefined {
  if (limits === undefined) return undefined;
  return {
    recordBytes: wholeNumber(limits.recordBytes ?? 0, "limits.record_bytes"),
    batchRecords: wholeNumber(limits.batchRecords ?? 0, "limits.batch_records"),
    batchBytes: wholeNumber(limits.batchBytes ?? 0, "limits.batch_bytes"),
  };
}

function retentionOf(retention: TopicRetention | undefined): RetentionMessage | undefined {
  if (retention === undefined) return undefined;
  return encodeRetention({
    ageMs: wholeNumber(retention.ageMs ?? 0, "retention.age"),
    records: wholeNumber(retention.records ?? 0, "retention.records"),
    bytes: wholeNumber(retention.bytes ?? 0, "retention.bytes"),
  });
}

/** The fields that an update changes: without a mask the server could not tell 0 from unset. */
function* maskOf({ labels, limits, retention, keyed }: TopicSettings): Generator<string> {
  if (labels !== undefined) yield "labels";
  if (retention?.ageMs !== undefined) yield "retention.age";
  if (retention?.records !== undefined) yield "retention.records";
  if (retention?.bytes !== undefined) yield "retention.bytes";
  if (keyed !== undefined) yield "keyed";
  if (limits?.recordBytes !== undefined) yield "limits.record_bytes";
  if (limits?.batchRecords !== undefined) yield "limits.batch_records";
  if (limits?.batchBytes !== undefined) yield "limits.batch_bytes";
}
