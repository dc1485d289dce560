import type { Position, Sharing } from "../../core/index.js";
import {
  SubscriptionServiceService as Service,
  type Subscription as SubscriptionMessage,
} from "../../gen/millrace/v1/subscription_service.js";
import { durationOfMs, encodedSharing, positionOf } from "../../wire/index.js";
import { clientError } from "../client-error.js";
import type { Connection, UnaryOptions } from "../connection.js";
import { type Start, startMessage, wholeNumber } from "../start.js";
import { type Parked, parkedOf } from "./parked.js";
import { Subscription } from "./subscription.js";
import { describeSubscription, type DescribeOptions, type SubscriptionReport } from "./subscription-report.js";

/** Settings of a subscription: given when it is created, and changed by an update. */
export interface SubscriptionSettings {
  /** How long a consumer has for a record, a second to twelve hours, in whole milliseconds. Default 30 000. */
  readonly ackDeadlineMs?: number | undefined;
  /** How often a record may fail before it is parked, 1 to 1000. Default 5. */
  readonly attemptsMax?: number | undefined;
  /** The wait before the first redelivery of a failed record, 0 to twelve hours. Doubles each time. Default 1000. */
  readonly retryMinMs?: number | undefined;
  /** The longest wait before a redelivery. Default 60 000. */
  readonly retryMaxMs?: number | undefined;
  /**
   * How many records may wait for redelivery, 1 to 100,000. While full, no new records are delivered. Default 10 000.
   */
  readonly retryBacklog?: number | undefined;
  /** Labels for people and tools. An update replaces all of them. */
  readonly labels?: ReadonlyMap<string, string> | { readonly [name: string]: string } | undefined;
}

export interface CreateSubscriptionOptions extends SubscriptionSettings, UnaryOptions {
  readonly topic: string;
  /** Where it begins. Default: at the next record that is published. */
  readonly start?: Start | undefined;
  /** How its consumers share the records. Default shared. Cannot be changed later. */
  readonly sharing?: Sharing | undefined;
}

export interface ListSubscriptionsOptions extends UnaryOptions {
  /** Only names that begin with this. */
  readonly prefix?: string | undefined;
  /** Only subscriptions of this topic. */
  readonly topic?: string | undefined;
  readonly pageSize?: number | undefined;
}

/** The result of a seek. */
export interface Sought {
  readonly subscription: Subscription;
  /** The next record that will be delivered. */
  readonly cursor: Position;
}

/** Creates, describes, changes and removes subscriptions. Calls throw a ClientError, or the signal's reason. */
export interface Subscriptions {
  /** The topic must exist. */
  create(name: string, options: CreateSubscriptionOptions): Promise<Subscription>;
  get(name: string, options?: UnaryOptions): Promise<Subscription>;
  /** By name. Pages are requested during the iteration. */
  list(options?: ListSubscriptionsOptions): AsyncGenerator<Subscription, void>;
  /** Changes what `settings` names, and nothing else. The change applies to later deliveries. */
  update(name: string, settings: SubscriptionSettings & UnaryOptions): Promise<Subscription>;
  /** Also deletes its parked records. Its consumers end with a NotFoundError. */
  delete(name: string, options?: UnaryOptions): Promise<void>;
  /** Stops deliveries; consumers stay connected. */
  pause(name: string, options?: UnaryOptions): Promise<Subscription>;
  resume(name: string, options?: UnaryOptions): Promise<Subscription>;
  /** Moves the cursor. Deliveries that consumers still have become stale. */
  seek(name: string, start: Start, options?: UnaryOptions): Promise<Sought>;
  /** Reports its progress and its consumers, at once and then once per interval. */
  describe(name: string, options?: DescribeOptions): AsyncGenerator<SubscriptionReport, void>;
  /** The records that were set aside. */
  readonly parked: Parked;
}

export function subscriptionsOf(connection: Connection): Subscriptions {
  return {
    parked: parkedOf(connection),
    async create(subscription, options) {
      const request = {
        subscription,
        topic: options.topic,
        start: options.start === undefined ? undefined : startMessage(options.start),
        sharing: encodedSharing[options.sharing ?? "shared"],
        ...settingsMessage(options),
      };
      return described(await connection.unary(Service.createSubscription, request, options));
    },
    async get(subscription, options) {
      return described(await connection.unary(Service.getSubscription, { subscription }, options));
    },
    async *list({ prefix = "", topic = "", pageSize = 0, ...options } = {}) {
      let pageToken = "";
      do {
        const page = await connection.unary(Service.listSubscriptions, { prefix, topic, pageSize, pageToken }, options);
        for (const subscription of page.subscriptions) yield new Subscription(subscription);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
    },
    async update(subscription, settings) {
      const request = { subscription, updateMask: [...maskOf(settings)], ...settingsMessage(settings) };
      return described(await connection.unary(Service.updateSubscription, request, settings));
    },
    async delete(subscription, options) {
      await connection.unary(Service.deleteSubscription, { subscription }, options);
    },
    async pause(subscription, options) {
      return described(await connection.unary(Service.pauseSubscription, { subscription }, options));
    },
    async resume(subscription, options) {
      return described(await connection.unary(Service.resumeSubscription, { subscription }, options));
    },
    async seek(name, start, options) {
      const answer = await connection.unary(
        Service.seekSubscription,
        { subscription: name, start: startMessage(start) },
        options,
      );
      return { subscription: described(answer), cursor: positionOf(answer.cursor) };
    },
    describe: (name, options = {}) => describeSubscription(connection, name, options),
  };
}

function described({ subscription }: { readonly subscription: SubscriptionMessage | undefined }): Subscription {
  if (subscription === undefined) throw clientError("INTERNAL", "The server answered without a subscription");
  return new Subscription(subscription);
}

function settingsMessage(settings: SubscriptionSettings) {
  const { attemptsMax = 0, retryBacklog = 0, labels = {} } = settings;
  return {
    ackDeadline: durationOf(settings.ackDeadlineMs, "ack_deadline"),
    attemptsMax: wholeNumber(attemptsMax, "attempts_max"),
    retryMin: durationOf(settings.retryMinMs, "retry_min"),
    retryMax: durationOf(settings.retryMaxMs, "retry_max"),
    retryBacklog: wholeNumber(retryBacklog, "retry_backlog"),
    labels: new Map(labels instanceof Map ? labels : Object.entries(labels)),
  };
}

function durationOf(ms: number | undefined, field: string) {
  return ms === undefined ? undefined : durationOfMs(wholeNumber(ms, field));
}

/** The fields that an update changes: without a mask the server could not tell 0 from unset. */
function* maskOf(settings: SubscriptionSettings): Generator<string> {
  if (settings.ackDeadlineMs !== undefined) yield "ack_deadline";
  if (settings.attemptsMax !== undefined) yield "attempts_max";
  if (settings.retryMinMs !== undefined) yield "retry_min";
  if (settings.retryMaxMs !== undefined) yield "retry_max";
  if (settings.retryBacklog !== undefined) yield "retry_backlog";
  if (settings.labels !== undefined) yield "labels";
}
