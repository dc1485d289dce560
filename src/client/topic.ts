import type { BatchLimits, Retention, StateBuild } from "../core/index.js";
import type { Topic as TopicMessage } from "../gen/millrace/v1/topic_service.js";
import {
  dateOfTimestamp,
  decodeRetention,
  durationOfMs,
  durationText,
  jsonOfMap,
  type JsonObject,
  type Timestamp,
  timestampText,
} from "../wire/index.js";

/** A topic at the time of the request. */
export class Topic {
  readonly name: string;
  /** Its incarnation: another one after the topic was deleted and created again. */
  readonly epoch: number;
  readonly labels: ReadonlyMap<string, string>;
  /** 0 means the node's setting. */
  readonly limits: BatchLimits;
  /** How much of its log it keeps; 0 means the node's default. */
  readonly retention: Retention;
  /** Whether nothing more can be appended. */
  readonly isClosed: boolean;
  /** Whether it keeps its state: the latest record of each key. */
  readonly isKeyed: boolean;
  /** Set while its state is being built. The state cannot be read until it is complete. */
  readonly stateBuild: StateBuild | undefined;
  /** The oldest offset that is kept. */
  readonly earliestOffset: number;
  /** The offset of the next record that is appended. */
  readonly nextOffset: number;
  /** Encoded size of the records that are kept. */
  readonly bytes: number;
  readonly #message: TopicMessage;

  constructor(message: TopicMessage) {
    this.#message = message;
    this.name = message.name;
    this.epoch = message.epoch;
    this.labels = message.labels;
    const { recordBytes = 0, batchRecords = 0, batchBytes = 0 } = message.limits ?? {};
    this.limits = { recordBytes, batchRecords, batchBytes };
    this.retention = decodeRetention(message.retention);
    this.isClosed = message.closed;
    this.isKeyed = message.keyed;
    this.stateBuild = message.stateBuild && {
      fromOffset: message.stateBuild.fromOffset ?? 0,
      nextOffset: message.stateBuild.nextOffset ?? 0,
      untilOffset: message.stateBuild.untilOffset ?? 0,
    };
    this.earliestOffset = message.earliestOffset ?? 0;
    this.nextOffset = message.nextOffset ?? 0;
    this.bytes = message.bytes ?? 0;
  }

  /** The stamp of the oldest record that is kept; undefined if there is none. */
  get firstTime(): Date | undefined {
    return optionalDate(this.#message.firstTime);
  }

  /** The stamp of the newest record; undefined if none was ever appended. */
  get lastTime(): Date | undefined {
    return optionalDate(this.#message.lastTime);
  }

  get createTime(): Date | undefined {
    return optionalDate(this.#message.createTime);
  }

  /** In proto3 JSON: 64-bit numbers as strings, times as RFC 3339. */
  toJSON(): JsonObject {
    const { firstTime, lastTime, createTime } = this.#message;
    const { recordBytes, batchRecords, batchBytes } = this.limits;
    const object: JsonObject = { name: this.name, epoch: String(this.epoch) };
    if (this.labels.size > 0) object["labels"] = jsonOfMap(this.labels);
    const limits: JsonObject = {};
    if (recordBytes !== 0) limits["recordBytes"] = String(recordBytes);
    if (batchRecords !== 0) limits["batchRecords"] = String(batchRecords);
    if (batchBytes !== 0) limits["batchBytes"] = String(batchBytes);
    if (Object.keys(limits).length > 0) object["limits"] = limits;
    const retention = retentionJson(this.retention);
    if (retention !== undefined) object["retention"] = retention;
    if (this.isClosed) object["closed"] = true;
    if (this.isKeyed) object["keyed"] = true;
    if (this.stateBuild !== undefined) {
      const { nextOffset, untilOffset, fromOffset } = this.stateBuild;
      object["stateBuild"] = {
        nextOffset: String(nextOffset),
        untilOffset: String(untilOffset),
        fromOffset: String(fromOffset),
      };
    }
    object["earliestOffset"] = String(this.earliestOffset);
    object["nextOffset"] = String(this.nextOffset);
    object["bytes"] = String(this.bytes);
    if (firstTime !== undefined) object["firstTime"] = timestampText(firstTime);
    if (lastTime !== undefined) object["lastTime"] = timestampText(lastTime);
    if (createTime !== undefined) object["createTime"] = timestampText(createTime);
    return object;
  }
}

function retentionJson({ ageMs, records, bytes }: Retention): JsonObject | undefined {
  const object: JsonObject = {};
  if (ageMs !== 0) object["age"] = durationText(durationOfMs(ageMs));
  if (records !== 0) object["records"] = String(records);
  if (bytes !== 0) object["bytes"] = String(bytes);
  return Object.keys(object).length === 0 ? undefined : object;
}

function optionalDate(time: Timestamp | undefined): Date | undefined {
  return time === undefined ? undefined : dateOfTimestamp(time);
}
