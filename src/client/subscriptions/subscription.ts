import type { Sharing } from "../../core/index.js";
import {
  type Subscription as SubscriptionMessage,
  Subscription_Sharing as SharingMessage,
} from "../../gen/millrace/v1/subscription_service.js";
import {
  dateOfTimestamp,
  decodedSharing,
  type Duration,
  durationOfMs,
  durationText,
  encodedSharing,
  jsonOfMap,
  type JsonObject,
  msOfDuration,
  timestampText,
} from "../../wire/index.js";

/** A subscription at the time of the request. */
export class Subscription {
  readonly name: string;
  readonly topic: string;
  /** The topic's incarnation that its cursor belongs to. */
  readonly epoch: number;
  readonly sharing: Sharing;
  /** How long a consumer has for a record, unless it extends the deadline. */
  readonly ackDeadlineMs: number;
  /** How often a record may fail before it is parked. */
  readonly attemptsMax: number;
  /** The wait before the first redelivery of a failed record; it doubles up to `retryMaxMs`. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** How many records may wait for redelivery. */
  readonly retryBacklog: number;
  readonly labels: ReadonlyMap<string, string>;
  /** Whether deliveries are stopped. */
  readonly isPaused: boolean;
  readonly #message: SubscriptionMessage;

  constructor(message: SubscriptionMessage) {
    this.#message = message;
    this.name = message.name;
    this.topic = message.topic;
    this.epoch = message.epoch;
    this.sharing = decodedSharing.get(message.sharing) ?? "shared";
    this.ackDeadlineMs = optionalMs(message.ackDeadline);
    this.attemptsMax = message.attemptsMax;
    this.retryMinMs = optionalMs(message.retryMin);
    this.retryMaxMs = optionalMs(message.retryMax);
    this.retryBacklog = message.retryBacklog;
    this.labels = message.labels;
    this.isPaused = message.paused;
  }

  get createTime(): Date | undefined {
    const { createTime } = this.#message;
    return createTime && dateOfTimestamp(createTime);
  }

  /** In proto3 JSON: 64-bit numbers as strings, durations in seconds, times as RFC 3339. */
  toJSON(): JsonObject {
    const { createTime } = this.#message;
    return {
      name: this.name,
      topic: this.topic,
      epoch: String(this.epoch),
      sharing: SharingMessage[encodedSharing[this.sharing]],
      ackDeadline: durationText(durationOfMs(this.ackDeadlineMs)),
      attemptsMax: this.attemptsMax,
      retryMin: durationText(durationOfMs(this.retryMinMs)),
      retryMax: durationText(durationOfMs(this.retryMaxMs)),
      retryBacklog: this.retryBacklog,
      ...(this.labels.size === 0 ? {} : { labels: jsonOfMap(this.labels) }),
      ...(this.isPaused ? { paused: true } : {}),
      ...(createTime === undefined ? {} : { createTime: timestampText(createTime) }),
    };
  }
}

function optionalMs(duration: Duration | undefined): number {
  return duration === undefined ? 0 : msOfDuration(duration);
}
