import type { Position, Sharing } from "../../core/index.js";
import {
  SubscriptionServiceService as Service,
  type Subscription as SubscriptionMessage,
} from "../../gen/millrace/v1/subscription_service.js";
import { durationOfMs } from "../../wire/index.js";
import { clientError } from "../client-error.js";
import type { Connection, UnaryOptions } from "../connection.js";
import { type Start, startMessage, wholeNumber } from "../start.js";
import { positionOf } from "./consume-event.js";
import { type Parked, parkedOf } from "./parked.js";
import { sharingMessages } from "./sharing.js";
import { Subscription } from "./subscription.js";
import { describeSubscription, type DescribeOptions, type SubscriptionReport } from "./subscription-report.js";

/** What can be said about a subscription when it is created, and changed later. */
export interface SubscriptionSettings {
  /** How long a consumer has for a record, a second to twelve hours, in whole milliseconds. Default 30 000. */
  readonly ackDeadlineMs?: number | undefined;
  /** How often a record may fail before it is parked, 1 to 1000. Default 5. */
  readonly attemptsMax?: number | undefined;
  /** What a rejected record waits after its first failure, 0 to twelve hours. Default 1000. It doubles each time. */
  readonly retryMinMs?: number | undefined;
  /** What it waits at most. Default 60 000. */
  readonly retryMaxMs?: number | undefined;
  /** How many records may wait for a retry, 1 to 100,000; while so many do, no new ones come. Default 10 000. */
  readonly retryBacklog?: number | undefined;
  /** Facts for people and tools. An update replaces all of them. */
  readonly labels?: ReadonlyMap<string, string> | { readonly [name: string]: string } | undefined;
}

export interface CreateSubscriptionOptions extends SubscriptionSettings, UnaryOptions {
  readonly topic: string;
  /** Where it begins. Default: with the next record that is published. */
  readonly start?: Start | undefined;
  /** How its consumers share the records. Default shared. It cannot be changed. */
  readonly sharing?: Sharing | undefined;
}

export interface ListSubscriptionsOptions extends UnaryOptions {
  /** Only names that begin with this. */
  readonly prefix?: string | undefined;
  /** Only those of this topic. */
  readonly topic?: string | undefined;
  readonly pageSize?: number | undefined;
}

/** Where a cursor was moved to. */
export interface Sought {
  readonly subscription: Subscription;
  /** The next record that will be delivered. */
  readonly cursor: Position;
}

/** Creates, describes, changes and removes subscriptions. Calls throw a ClientError, or the signal's reason. */
export interface Subscriptions {
  /** Of a topic that exists. */
  create(name: string, options: CreateSubscriptionOptions): Promise<Subscription>;
  get(name: string, options?: UnaryOptions): Promise<Subscription>;
  /** By name; asked for a page at a time, as they are iterated. */
  list(options?: ListSubscriptionsOptions): AsyncGenerator<Subscription, void>;
  /** Changes what `settings` names, and nothing else. It holds for deliveries after it. */
  update(name: string, settings: SubscriptionSettings & UnaryOptions): Promise<Subscription>;
  /** With its parked records. Its consumers end with a NotFoundError. */
  delete(name: string, options?: UnaryOptions): Promise<void>;
  /** Stops deliveries; consumers stay. */
  pause(name: string, options?: UnaryOptions): Promise<Subscription>;
  resume(name: string, options?: UnaryOptions): Promise<Subscription>;
  /** Moves the cursor. What consumers still have is stale from here on. */
  seek(name: string, start: Start, options?: UnaryOptions): Promise<Sought>;
  /** How far it is, and who consumes it: at once, and then again and again. */
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
        sharing: sharingMessages[options.sharing ?? "shared"],
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

/** What an update changes: without a mask the server could not tell 0 from unset. */
function* maskOf(settings: SubscriptionSettings): Generator<string> {
  if (settings.ackDeadlineMs !== undefined) yield "ack_deadline";
  if (settings.attemptsMax !== undefined) yield "attempts_max";
  if (settings.retryMinMs !== undefined) yield "retry_min";
  if (settings.retryMaxMs !== undefined) yield "retry_max";
  if (settings.retryBacklog !== undefined) yield "retry_backlog";
  if (settings.labels !== undefined) yield "labels";
}
