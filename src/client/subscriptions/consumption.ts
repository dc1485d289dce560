import type { Window } from "../../core/index.js";
import { type ConsumeRequest, SubscriptionServiceService } from "../../gen/millrace/v1/subscription_service.js";
import type { Stream } from "../../streams/index.js";
import { isTransient } from "../client-error.js";
import type { Connection, MethodShape } from "../connection.js";
import { type Reconnecting, resumingMessages, type ResumeOptions } from "../resuming-messages.js";
import { type Start, startMessage } from "../start.js";
import { emptyRequest } from "./acknowledgements.js";
import { commitHeld } from "./commit.js";
import type { ConsumeEvent } from "./consume-event.js";
import { type ConsumeMessage, decodeConsumeMessage } from "./consume-message.js";
import { ConsumeCall } from "./consume-call.js";
import type { Delivery, DeliveryBatch, HeldBatch, HeldRecord } from "./delivery.js";
import { DeliveryLoop } from "./delivery-loop.js";
import { EphemeralPlace } from "./ephemeral-place.js";
import { forEachDelivery } from "./for-each-delivery.js";
import { type WindowOptions, windowOf } from "./window.js";
import { firstRecords, WorkingWindow } from "./working-window.js";

/** A subscription, by name; or a topic, for an ephemeral consumer, about which the server stores nothing. */
export type ConsumeTarget =
  | string
  | {
      readonly topic: string;
      /** Default: only new records. */
      readonly start?: Start | undefined;
    };

export interface ConsumeOptions extends ResumeOptions {
  /**
   * What may be outstanding. A slow consumer requests less (docs/subscriptions.md, "Windows"). Default 1000 records and
   * 4 MiB. Without `records`, the window begins at 16 records and doubles while the consumer keeps up.
   */
  readonly window?: WindowOptions | undefined;
  /** The consumer's name in DescribeSubscription, up to 128 bytes. Default: its address. */
  readonly consumer?: string | undefined;
  /** Receives events. What it throws ends the consumption. */
  readonly onEvent?: ((event: ConsumeEvent) => void) | undefined;
  /**
   * Whether deliveries in hand are extended each time half of their deadline has passed. Default true. In any case,
   * records on which no work has begun by then are released for other consumers. If there can be no other consumer,
   * they are extended.
   */
  readonly extend?: boolean | undefined;
  /**
   * The client reconnects after this time without any message, not even a heartbeat, in milliseconds. Default 45 000.
   */
  readonly silenceMs?: number | undefined;
  /** Ends the consumption at once, with the signal's reason. Unsettled deliveries count as failed. See `stop`. */
  readonly signal?: AbortSignal | undefined;
}

export interface ForEachOptions {
  /** How many handlers may run at once. Default 1. */
  readonly concurrency?: number | undefined;
}

/**
 * The records of a subscription, to work on. It can be used once: as a loop, with `forEach`, or with `batches`. The
 * first pull starts the call. After a lost connection it reconnects. Deliveries in hand are then lost
 * (`Delivery.signal`), which counts as a failure, and records without a confirmed verdict may be redelivered.
 *
 * `for await` gives one record at a time. Asking for the next one acknowledges the last, unless it has a verdict.
 * Leaving the loop rejects the current record, since a loop cannot tell `break` from `throw`: acknowledge the record
 * before you break. The consumption then stops as with `stop`.
 */
export interface Consumption extends AsyncIterable<Delivery, undefined> {
  /**
   * Runs up to `concurrency` handlers at once. A record is acknowledged when its handler ends. If the handler throws,
   * the record is rejected with the error's text as the reason; other records are not affected. Resolves after `stop`,
   * or when the topic is closed and everything is settled.
   */
  forEach(handler: (delivery: Delivery) => Promise<void> | void, options?: ForEachOptions): Promise<void>;
  /**
   * Whole messages, for bulk work. No batch is acknowledged by itself; unsettled ones are extended until the
   * consumption ends. Leaving the loop, by `break` or `throw`, rejects all batches in hand: settle them before you
   * break.
   */
  batches(): AsyncIterable<DeliveryBatch, undefined>;
  /** Changes what may be outstanding. Unset fields keep their value. */
  setWindow(window: WindowOptions): void;
  /**
   * The window that you asked for. `window-changed` events have the actual one: smaller if the consumer or node is
   * busy.
   */
  readonly window: Window;
  /** How many records arrived and are not settled. */
  readonly outstanding: number;
  /**
   * Finishes the deliveries in hand, releases the other records, and waits for the confirmations; then loops end. Never
   * rejects. Inside a handler or a loop, settle the record before you await this.
   */
  stop(): Promise<void>;
}

const consumeShape: MethodShape<ConsumeRequest, ConsumeMessage> = {
  ...SubscriptionServiceService.consume,
  responseDeserialize: decodeConsumeMessage,
};

/** The reason of a rejection by leaving the loop. */
const leftReason = "the loop ended at this record";

/**
 *   new ──a loop begins──▶ running ──stop──▶ stopping ──the call ended──▶ over
 *    │                        └──a failure, the topic is closed───────────▶│
 *    └──stop──────────────────────────────────────────────────────────────▶┘
 */
type ConsumerState =
  | { readonly phase: "new" | "running" | "stopping" }
  /** The loops throw `failure`. */
  | { readonly phase: "over"; readonly failure: { readonly error: unknown } | undefined };

export class Consumer implements Consumption {
  readonly #connection: Connection;
  readonly #target: ConsumeTarget;
  readonly #options: ConsumeOptions;
  readonly #window: WorkingWindow;
  /** Set for an ephemeral consumer. */
  readonly #place: EphemeralPlace | undefined;
  /** Ends the running call or wait. */
  readonly #ended = new AbortController();
  #state: ConsumerState = { phase: "new" };
  #call: ConsumeCall | undefined;
  #running: Promise<void> = Promise.resolve();
  #working: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};

  constructor(connection: Connection, target: ConsumeTarget, options: ConsumeOptions) {
    this.#connection = connection;
    this.#target = target;
    this.#options = options;
    this.#place = typeof target === "string" ? undefined : new EphemeralPlace();
    this.#window = new WorkingWindow({
      asked: windowOf(options.window ?? {}),
      firstRecords: options.window?.records === undefined ? firstRecords : undefined,
    });
  }

  get window(): Window {
    return this.#window.asked;
  }

  get outstanding(): number {
    return this.#call?.outstanding ?? 0;
  }

  [Symbol.asyncIterator](): AsyncIterator<Delivery, undefined> {
    return new DeliveryLoop<HeldRecord>({
      begin: (wake) => this.#begin(wake),
      take: () => this.#takeRecord(),
      end: () => this.#end,
      stop: () => this.stop(),
      onNext: (delivery) => delivery.finish(),
      onLeft: (delivery) => delivery?.fail(leftReason),
    });
  }

  batches(): AsyncIterable<DeliveryBatch, undefined> {
    const loop = () =>
      new DeliveryLoop<HeldBatch>({
        begin: (wake) => this.#begin(wake),
        take: () => (this.#state.phase === "running" ? this.#call?.takeBatch() : undefined),
        end: () => this.#end,
        stop: () => this.stop(),
        onNext() {},
        onLeft: () => this.#call?.failInHand(leftReason),
      });
    return { [Symbol.asyncIterator]: loop };
  }

  forEach(
    handler: (delivery: Delivery) => Promise<void> | void,
    { concurrency = 1 }: ForEachOptions = {},
  ): Promise<void> {
    const working = forEachDelivery(
      {
        begin: (wake) => this.#begin(wake, concurrency),
        take: () => this.#takeRecord(),
        end: () => this.#end,
      },
      handler,
      concurrency,
    );
    this.#working = working.catch(() => {});
    return working;
  }

  setWindow(window: WindowOptions): void {
    this.#window.asked = windowOf(window, this.#window.asked);
    this.#call?.requestWindow();
  }

  async stop(): Promise<void> {
    if (this.#state.phase === "new") this.#state = { phase: "over", failure: undefined };
    else if (this.#state.phase === "running") {
      this.#state = { phase: "stopping" };
      if (this.#call === undefined) this.#ended.abort();
      else this.#call.stop();
    }
    await this.#running;
    await this.#working;
  }

  get #end(): Extract<ConsumerState, { readonly phase: "over" }> | undefined {
    return this.#state.phase === "over" ? this.#state : undefined;
  }

  #takeRecord(): HeldRecord | undefined {
    return this.#state.phase === "running" ? this.#call?.takeRecord() : undefined;
  }

  /** Starts the consumption for a loop. Calls `wake` when there may be something to take, and at the end. */
  #begin(wake: () => void, concurrency = 1): void {
    if (this.#state.phase === "over") return;
    if (this.#state.phase !== "new") {
      throw new Error("Cannot use a consumption again: it can be iterated once, in one way");
    }
    this.#state = { phase: "running" };
    this.#wake = wake;
    this.#window.concurrency = concurrency;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    const abort = () => {
      this.#ended.abort(signal?.reason);
      // At once: other consumers will soon receive the records that have arrived here.
      this.#closeCall();
    };
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    let failure: { readonly error: unknown } | undefined;
    try {
      for await (const message of this.#messages()) this.#call?.take(message);
    } catch (error) {
      if (!this.#isEndOfStop(error)) failure = { error };
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    this.#closeCall();
    this.#state = { phase: "over", failure };
    this.#wake();
  }

  /** A connection that is lost while the consumption stops is no failure. */
  #isEndOfStop(error: unknown): boolean {
    if (this.#state.phase !== "stopping" || this.#options.signal?.aborted === true) return false;
    return this.#ended.signal.aborted || isTransient(error);
  }

  #messages(): Stream<ConsumeMessage> {
    const { silenceMs = 45_000, backoff, giveUpAfterMs } = this.#options;
    return resumingMessages<ConsumeMessage>({
      open: async () => {
        this.#closeCall();
        if (this.#state.phase !== "running") return undefined;
        this.#call = this.#openCall();
        return this.#call.messages;
      },
      // `started` is no progress: a server that accepts calls and then fails must not be called every 100 ms.
      isProgress: ({ records, event }) => records.length > 0 || event?.$case === "heartbeat",
      onReconnecting: (event) => this.#onReconnecting(event),
      connection: this.#connection,
      silenceMs,
      backoff,
      giveUpAfterMs,
      signal: this.#ended.signal,
    });
  }

  #onReconnecting(event: Reconnecting): void {
    this.#closeCall();
    if (this.#state.phase === "stopping") this.#ended.abort();
    else this.#options.onEvent?.(event);
  }

  #openCall(): ConsumeCall {
    const target = this.#target;
    const { consumer = "", extend = true, onEvent } = this.#options;
    const opening = { ...emptyRequest, consumer, window: this.#window.window };
    const subscription = typeof target === "string" ? target : "";
    if (typeof target === "string") opening.subscription = target;
    else {
      const position = this.#place?.position;
      opening.topic = target.topic;
      opening.start = startMessage(position === undefined ? (target.start ?? "latest") : { position });
    }
    return new ConsumeCall(this.#connection.bidiStream(consumeShape), {
      subscription,
      opening,
      extend,
      window: this.#window,
      timers: this.#connection.timers,
      place: this.#place,
      commit: (held, append) => commitHeld(this.#connection, { subscription, held: [held], append }),
      onRecords: () => this.#wake(),
      onEvent: (event) => onEvent?.(event),
    });
  }

  #closeCall(): void {
    this.#call?.close();
    this.#call = undefined;
  }
}
