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
import { ConsumeSession } from "./consume-session.js";
import type { Delivery, DeliveryBatch, HeldBatch, HeldRecord } from "./delivery.js";
import { DeliveryLoop } from "./delivery-loop.js";
import { EphemeralPlace } from "./ephemeral-place.js";
import { forEachDelivery } from "./for-each-delivery.js";
import { type WindowOptions, windowOf } from "./window.js";

/** What is consumed: a subscription by its name, or a topic by an ephemeral consumer, of which nothing is kept. */
export type ConsumeTarget =
  | string
  | {
      readonly topic: string;
      /** Default: only new records. */
      readonly start?: Start | undefined;
    };

export interface ConsumeOptions extends ResumeOptions {
  /** What may be outstanding. Default 1000 records and 4 MiB. */
  readonly window?: WindowOptions | undefined;
  /** What DescribeSubscription calls it, at most 128 bytes. Default: its address. */
  readonly consumer?: string | undefined;
  /** Told what happens besides records. What it throws ends the consumption. */
  readonly onEvent?: ((event: ConsumeEvent) => void) | undefined;
  /**
   * Keep-alive: what is in hand for half of its time is given more, again and again, and what nobody has taken by then is
   * given back, for others to work on (where there can be others: else it is given more as well). Default true. Without
   * it, deadlines pass as they are.
   */
  readonly extend?: boolean | undefined;
  /** A server that sends nothing for so long, heartbeats neither, is taken for dead, in milliseconds. Default 45 000. */
  readonly silenceMs?: number | undefined;
  /** Ends it at once, with its reason: what is in hand is lost. See `stop`. */
  readonly signal?: AbortSignal | undefined;
}

export interface ForEachOptions {
  /** How many records are worked on at once. Default 1. */
  readonly concurrency?: number | undefined;
}

/**
 * Records of a subscription, as they are to be worked on. Used once: as a loop, by `forEach`, or by `batches`; nothing is
 * asked of the server before. When the way to the server is lost, it comes back. What was in hand is then somebody else's
 * (`Delivery.signal`), and what was not confirmed may come again.
 *
 * `for await` gives one record at a time. Asking for the next acknowledges the last, unless something was said of it. To
 * leave the loop rejects the record that it is at, since a loop cannot tell `break` from `throw`: acknowledge it before
 * you break. Then it stops as `stop` does.
 */
export interface Consumption extends AsyncIterable<Delivery, undefined> {
  /**
   * Works on up to `concurrency` records at once. Each is acknowledged when its handler is done, and rejected when that
   * throws, with the error's text as the reason; the rest goes on. Resolves after `stop`, or when the topic is closed and
   * all is done.
   */
  forEach(handler: (delivery: Delivery) => Promise<void> | void, options?: ForEachOptions): Promise<void>;
  /**
   * Whole messages, for bulk work. Nothing is acknowledged by itself, and what is not settled is kept alive for as long as
   * this goes on. To leave the loop releases what is in hand.
   */
  batches(): AsyncIterable<DeliveryBatch, undefined>;
  /** Changes what may be outstanding, from now on. What is unset stays as it is. */
  setWindow(window: WindowOptions): void;
  /** As it was asked for. */
  readonly window: Window;
  /** Records that came and that nobody has settled. */
  readonly outstanding: number;
  /**
   * Finishes what is in hand, gives back the rest, and waits for the confirmations; then loops end. Never rejects. Inside
   * of a handler or a loop, settle the record before you wait for this.
   */
  stop(): Promise<void>;
}

const consumeShape: MethodShape<ConsumeRequest, ConsumeMessage> = {
  ...SubscriptionServiceService.consume,
  responseDeserialize: decodeConsumeMessage,
};

/** How a consumption has ended. */
interface End {
  /** Thrown by the loops. */
  readonly failure: { readonly error: unknown } | undefined;
}

/**
 *   new ──a loop begins──▶ running ──stop──▶ stopping ──the call ended──▶ over
 *                          running ──a failure, closed──▶ over
 */
type Phase = "new" | "running" | "stopping" | "over";

export class Consumer implements Consumption {
  readonly #connection: Connection;
  readonly #target: ConsumeTarget;
  readonly #options: ConsumeOptions;
  /** Of an ephemeral consumer. */
  readonly #place: EphemeralPlace | undefined;
  /** Ends whatever goes on. */
  readonly #ended = new AbortController();
  #window: Window;
  #phase: Phase = "new";
  #session: ConsumeSession | undefined;
  #end: End | undefined;
  #running: Promise<void> = Promise.resolve();
  #working: Promise<unknown> = Promise.resolve();
  #wake: () => void = () => {};

  constructor(connection: Connection, target: ConsumeTarget, options: ConsumeOptions) {
    this.#connection = connection;
    this.#target = target;
    this.#options = options;
    this.#place = typeof target === "string" ? undefined : new EphemeralPlace();
    this.#window = windowOf(options.window ?? {});
  }

  get window(): Window {
    return this.#window;
  }

  get outstanding(): number {
    return this.#session?.outstanding ?? 0;
  }

  [Symbol.asyncIterator](): AsyncIterator<Delivery, undefined> {
    return new DeliveryLoop<HeldRecord>({
      begin: (wake) => this.#begin(wake),
      take: () => this.#takeRecord(),
      end: () => this.#end,
      stop: () => this.stop(),
      onNext: (delivery) => delivery.finish(),
      onLeft: (delivery) => delivery?.fail("the loop ended at this record"),
    });
  }

  batches(): AsyncIterable<DeliveryBatch, undefined> {
    const loop = () =>
      new DeliveryLoop<HeldBatch>({
        begin: (wake) => this.#begin(wake),
        take: () => (this.#phase === "running" ? this.#session?.takeBatch() : undefined),
        end: () => this.#end,
        stop: () => this.stop(),
        onNext() {},
        onLeft: () => this.#session?.releaseInHand(),
      });
    return { [Symbol.asyncIterator]: loop };
  }

  forEach(
    handler: (delivery: Delivery) => Promise<void> | void,
    { concurrency = 1 }: ForEachOptions = {},
  ): Promise<void> {
    const working = forEachDelivery(
      {
        begin: (wake) => this.#begin(wake),
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
    this.#window = windowOf(window, this.#window);
    this.#session?.setWindow(this.#window);
  }

  async stop(): Promise<void> {
    if (this.#phase === "new") {
      this.#phase = "over";
      this.#end = { failure: undefined };
    } else if (this.#phase === "running") {
      this.#phase = "stopping";
      if (this.#session === undefined) this.#ended.abort();
      else this.#session.stop();
    }
    await this.#running;
    await this.#working;
  }

  #takeRecord(): HeldRecord | undefined {
    return this.#phase === "running" ? this.#session?.takeRecord() : undefined;
  }

  /** A loop begins; `wake` is told when there may be something to take, and at the end. */
  #begin(wake: () => void): void {
    if (this.#phase === "over") return;
    if (this.#phase !== "new") throw new Error("Cannot use a consumption again: it is iterated once, in one way");
    this.#phase = "running";
    this.#wake = wake;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#options;
    const abort = () => {
      this.#ended.abort(signal?.reason);
      // At once: what waits to be taken is somebody else's soon.
      this.#closeSession();
    };
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    let failure: End["failure"];
    try {
      for await (const message of this.#messages()) this.#session?.take(message);
    } catch (error) {
      if (!this.#isEndOfStop(error)) failure = { error };
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    this.#closeSession();
    this.#phase = "over";
    this.#end = { failure };
    this.#wake();
  }

  /** Whoever stops wants no more: a way that is lost by then is no failure. */
  #isEndOfStop(error: unknown): boolean {
    if (this.#phase !== "stopping" || this.#options.signal?.aborted === true) return false;
    return this.#ended.signal.aborted || isTransient(error);
  }

  #messages(): Stream<ConsumeMessage> {
    const { silenceMs = 45_000, backoff, giveUpAfterMs } = this.#options;
    return resumingMessages<ConsumeMessage>({
      open: async () => {
        this.#closeSession();
        if (this.#phase !== "running") return undefined;
        this.#session = this.#openSession();
        return this.#session.messages;
      },
      // A server that says hello and breaks off again must not be called every 100 ms.
      isProgress: ({ records, event }) => records.length > 0 || event?.$case === "heartbeat",
      onReconnecting: (event) => this.#onReconnecting(event),
      silenceMs,
      backoff,
      giveUpAfterMs,
      signal: this.#ended.signal,
    });
  }

  #onReconnecting(event: Reconnecting): void {
    this.#closeSession();
    if (this.#phase === "stopping") this.#ended.abort();
    else this.#options.onEvent?.(event);
  }

  #openSession(): ConsumeSession {
    const target = this.#target;
    const { consumer = "", extend = true, onEvent } = this.#options;
    const opening = { ...emptyRequest, consumer, window: this.#window };
    const subscription = typeof target === "string" ? target : "";
    if (typeof target === "string") opening.subscription = target;
    else {
      const position = this.#place?.position;
      opening.topic = target.topic;
      opening.start = startMessage(position === undefined ? (target.start ?? "latest") : { position });
    }
    return new ConsumeSession(this.#connection.bidiStream(consumeShape), {
      subscription,
      opening,
      extend,
      place: this.#place,
      commit: (held, append) => commitHeld(this.#connection, subscription, { held: [held], append }),
      onRecords: () => this.#wake(),
      onEvent: (event) => onEvent?.(event),
    });
  }

  #closeSession(): void {
    this.#session?.close();
    this.#session = undefined;
  }
}
