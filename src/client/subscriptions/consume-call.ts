import type { Window } from "../../core/index.js";
import type {
  ConsumeRequest,
  ConsumeResponse_Confirmed as Confirmed,
} from "../../gen/millrace/v1/subscription_service.js";
import type { Timers } from "../../streams/index.js";
import type { ReceivedRecord } from "../../wire/index.js";
import { clientError } from "../client-error.js";
import type { StreamingCall } from "../streaming-call.js";
import { Acknowledgements } from "./acknowledgements.js";
import { Confirmations } from "./confirmations.js";
import type { ConsumeEvent } from "./consume-event.js";
import { eventOf } from "./consume-event.js";
import type { ConsumeMessage } from "./consume-message.js";
import { addOffsets, HeldBatch, type HeldRecord } from "./delivery.js";
import { release, type Verdict } from "./delivery-life.js";
import type { EphemeralPlace } from "./ephemeral-place.js";
import type { DeliveryCall, Held } from "./held.js";
import { toRange } from "./offset-range.js";
import type { CommittedOutput, Output } from "./output.js";
import { RequestSender } from "./request-sender.js";
import { mayEnd, maySend, opening, type CallEvent, type CallState, step, termsOf } from "./call-life.js";
import { CallRecords } from "./call-records.js";
import { staleDeliveries } from "./stale-deliveries.js";
import { releaseShare, type WorkingWindow } from "./working-window.js";

export interface ConsumeCallOptions {
  /** Empty for an ephemeral consumer. */
  readonly subscription: string;
  readonly opening: ConsumeRequest;
  /** Whether to extend the deadlines of deliveries in hand. */
  readonly extend: boolean;
  readonly window: WorkingWindow;
  /** Set for an ephemeral consumer. */
  readonly place: EphemeralPlace | undefined;
  readonly timers: Timers;
  readonly commit: (held: Held, append: readonly Output[]) => Promise<readonly CommittedOutput[]>;
  /** Called when there may be a record to take. */
  readonly onRecords: () => void;
  readonly onEvent: (event: ConsumeEvent) => void;
}

const closedWindow: Window = { records: 0, bytes: 0 };

/** The interval of the deadline checks, as a part of the deadline. */
const tickShare = 1 / 8;

/**
 * One Consume call (phases: call-life.ts) with the records that it delivered (phases: delivery-life.ts) and the
 * verdicts on them.
 *
 * Deadlines run here as at the server, but a little later. After half of the deadline, deliveries in hand are extended.
 * Records that no work has begun on are then released for other consumers. If there can be no other consumer, they are
 * extended too, which keeps the order.
 */
export class ConsumeCall implements DeliveryCall {
  readonly subscription: string;
  readonly #call: StreamingCall<ConsumeRequest, ConsumeMessage>;
  readonly #options: ConsumeCallOptions;
  readonly #records = new CallRecords(this);
  readonly #outbox = new Acknowledgements();
  readonly #confirmations = new Confirmations();
  readonly #sender: RequestSender;
  readonly #nowMs: () => number;
  #state: CallState = opening;
  /** The records of the window that was requested last, and of the one that the server granted last. */
  #requestedRecords: number;
  #grantedRecords = Infinity;
  #cancelTick: (() => void) | undefined;

  constructor(call: StreamingCall<ConsumeRequest, ConsumeMessage>, options: ConsumeCallOptions) {
    this.subscription = options.subscription;
    this.#call = call;
    this.#options = options;
    this.#nowMs = () => options.timers.monotonicMs();
    this.#requestedRecords = options.opening.window?.records ?? Infinity;
    this.#sender = new RequestSender(options.opening, {
      send: (request) => call.send(request),
      take: () => this.#takeRequest(),
      onIdle: () => {
        if (this.#records.inHand.size === 0) this.#become({ type: "all-sent" });
      },
    });
  }

  get session(): number {
    return termsOf(this.#state).session;
  }

  /** How many records arrived and are not settled. */
  get outstanding(): number {
    return this.#records.outstanding;
  }

  /** The messages of the call. An unexpected end is an error. */
  get messages(): StreamingCall<never, ConsumeMessage> {
    const call = this.#call;
    return {
      receive: async (signal) => {
        const message = await call.receive(signal);
        if (message !== undefined || mayEnd[this.#state.phase]) return message;
        throw clientError("UNAVAILABLE", "The server ended the Consume call before it was asked to");
      },
      send: () => Promise.resolve(),
      halfClose() {},
      cancel: () => call.cancel(),
    };
  }

  take(message: ConsumeMessage): void {
    if (message.confirmed !== undefined) this.#confirm(message.confirmed);
    if (message.records.length > 0) this.#receive(message);
    const event = eventOf(message.event);
    if (event === undefined) return;
    this.#note(event);
    this.#options.onEvent(event);
  }

  /** Hands out the next record. */
  takeRecord(): HeldRecord | undefined {
    return this.#handed(this.#records.takeRecord(this.#ackDeadlineMs));
  }

  /** Hands out the next message. */
  takeBatch(): HeldBatch | undefined {
    return this.#handed(this.#records.takeBatch(this.#ackDeadlineMs));
  }

  /** Requests the working window, which has changed. */
  requestWindow(): void {
    const { phase } = this.#state;
    if (phase !== "opening" && phase !== "running") return;
    this.#outbox.window = this.#options.window.window;
    this.#wakeSender();
  }

  /** Releases records that no work has begun on, and requests no more. The call ends when all in hand is settled. */
  stop(): void {
    this.#become({ type: "stop" });
  }

  /** Rejects all deliveries in hand. */
  failInHand(reason: string): void {
    for (const held of this.#records.inHand) held.fail(reason);
  }

  /** The call is lost, or has ended. */
  close(): void {
    this.#become({ type: "ended" });
  }

  leave(held: Held, verdict: Verdict | undefined): void {
    if (!this.#records.leave(held)) return;
    if (verdict !== undefined) held.addTo(this.#outbox.withVerdict(verdict, held.attempt));
    // Also without a verdict: when the last delivery has left, the sender reports that it is idle.
    this.#wakeSender();
  }

  confirmation<Word extends string>(held: Held, word: Word): Promise<Word | "stale"> {
    return this.#state.phase === "over" ? Promise.resolve("stale") : this.#confirmations.expect(held, word);
  }

  extend(held: Held, ms: number | undefined): void {
    held.deadlineMs = this.#nowMs() + (ms ?? this.#ackDeadlineMs);
    held.addTo(this.#outbox.withExtension(held.attempt, ms));
    this.#wakeSender();
  }

  commit(held: Held, append: readonly Output[]): Promise<readonly CommittedOutput[]> {
    return this.#options.commit(held, append);
  }

  get #ackDeadlineMs(): number {
    return termsOf(this.#state).ackDeadlineMs;
  }

  /** The only writer of the state; also does what a new phase requires. */
  #become(event: CallEvent): void {
    const before = this.#state;
    this.#state = step(before, event);
    if (this.#state.phase === before.phase) return;
    switch (this.#state.phase) {
      case "stopping":
        this.#outbox.window = closedWindow;
        while (this.#records.arrivals.count > 0) this.#releaseOldest();
        this.#wakeSender();
        this.#checkWindow();
        return;
      case "finishing":
        this.#wakeSender();
        return;
      case "half-closed":
        this.#call.halfClose();
        return;
      case "over":
        this.#cancelTick?.();
        this.#sender.close();
        this.#records.loseAll();
        this.#confirmations.close();
        return;
      case "opening":
      case "running":
      case "complete":
        return;
      default:
        throw this.#state satisfies never;
    }
  }

  /** Measures how fast work on records begins. `undefined`: the consumer waits for more records. */
  #handed<Item extends Held>(held: Item | undefined): Item | undefined {
    const { window } = this.#options;
    const hasGrown =
      held === undefined ? window.starved(this.outstanding, this.#nowMs) : window.begun(held.count, this.#nowMs);
    if (hasGrown) this.requestWindow();
    return held;
  }

  #receive({ records, attempt }: ConsumeMessage): void {
    const redelivered = this.#records.takeBack(records);
    // A verdict on the earlier delivery came too late.
    if (redelivered !== undefined) this.#confirmations.refuse({ offsets: redelivered, attempt: 0 });
    const { phase } = this.#state;
    if (phase !== "opening" && phase !== "running") {
      this.#release(records, attempt);
      return;
    }
    const nowMs = this.#nowMs();
    this.#options.window.fed(nowMs);
    this.#records.arrivals.push(records, attempt, nowMs);
    this.#options.onRecords();
  }

  #note(event: ConsumeEvent): void {
    const { place, window } = this.#options;
    switch (event.type) {
      case "started": {
        const ackDeadlineMs = event.ackDeadlineMs || Infinity;
        const isAlone = event.sharing === "exclusive" || event.session === 0;
        this.#become({ type: "started", terms: { session: event.session, ackDeadlineMs, isAlone } });
        window.deadlineMs = ackDeadlineMs;
        this.#grant(event.window);
        place?.begin(event.cursor);
        this.#tickSoon();
        return;
      }
      case "heartbeat":
        place?.reach(event.cursor);
        return;
      case "skipped":
        place?.done({ firstOffset: event.firstOffset, nextOffset: event.nextOffset });
        return;
      case "closed":
        this.#become({ type: "closed" });
        return;
      case "window-changed":
        this.#grant(event.window);
        return;
      case "reconnecting":
        return;
      default:
        throw event satisfies never;
    }
  }

  /**
   * The server has granted this window. It answers only changes: none if the user had closed the window before `stop`.
   */
  #grant({ records }: Window): void {
    this.#grantedRecords = records;
    this.#checkWindow();
  }

  /** Messages arrive in order: once the server confirms a window of 0, all earlier records have arrived. */
  #checkWindow(): void {
    if (this.#requestedRecords === 0 && this.#grantedRecords === 0) this.#become({ type: "no-more" });
  }

  #confirm(confirmed: Confirmed): void {
    this.#confirmations.confirm(confirmed);
    for (const stale of staleDeliveries(confirmed.stale)) {
      this.#confirmations.refuse(stale);
      this.#records.lose(stale);
    }
    const { place } = this.#options;
    if (place !== undefined) {
      for (const range of [...confirmed.acknowledged, ...confirmed.parked]) place.done(toRange(range));
    }
  }

  #tickSoon(): void {
    const ms = this.#ackDeadlineMs * tickShare;
    this.#cancelTick?.();
    if (ms === Infinity) return;
    this.#cancelTick = this.#options.timers.startTimer(Math.ceil(ms), () => {
      this.#tick();
      if (this.#state.phase !== "over") this.#tickSoon();
    });
  }

  #tick(): void {
    const nowMs = this.#nowMs();
    const { phase } = this.#state;
    for (const held of this.#records.inHand) {
      const leftMs = held.deadlineMs - nowMs;
      if (leftMs <= 0) held.lose();
      // A loop over batches may have ended without settling them, so they are not extended after `stop`.
      else if (this.#isDue(leftMs) && this.#options.extend && (phase === "running" || !(held instanceof HeldBatch))) {
        this.extend(held, undefined);
      }
    }
    this.#options.window.passed(nowMs);
    if (termsOf(this.#state).isAlone) this.#extendArrivals(nowMs);
    else this.#releaseArrivals(nowMs);
  }

  /** Whether half of the deadline has passed. */
  #isDue(leftMs: number): boolean {
    return leftMs <= this.#ackDeadlineMs * (1 - releaseShare);
  }

  #extendArrivals(nowMs: number): void {
    for (const arrival of this.#records.arrivals) {
      if (!this.#isDue(arrival.heldSinceMs + this.#ackDeadlineMs - nowMs)) continue;
      arrival.heldSinceMs = nowMs;
      const { records, at, attempt } = arrival;
      addOffsets(records.slice(at), this.#outbox.withExtension(attempt, undefined));
      this.#wakeSender();
    }
  }

  /** Releases records that no work has begun on in time, and shrinks the window. */
  #releaseArrivals(nowMs: number): void {
    const { arrivals } = this.#records;
    let arrivedMs: number | undefined;
    for (let { oldest } = arrivals; oldest !== undefined; { oldest } = arrivals) {
      if (!this.#isDue(oldest.heldSinceMs + this.#ackDeadlineMs - nowMs)) break;
      arrivedMs = oldest.heldSinceMs;
      this.#releaseOldest();
    }
    if (arrivedMs !== undefined && this.#options.window.released(arrivedMs, nowMs)) this.requestWindow();
  }

  #releaseOldest(): void {
    const arrival = this.#records.arrivals.takeMessage();
    if (arrival !== undefined) this.#release(arrival.records, arrival.attempt);
  }

  #release(records: readonly ReceivedRecord[], attempt: number): void {
    addOffsets(records, this.#outbox.withVerdict(release, attempt));
    this.#wakeSender();
  }

  #wakeSender(): void {
    if (maySend[this.#state.phase]) this.#sender.wake();
  }

  #takeRequest(): ConsumeRequest | undefined {
    if (!maySend[this.#state.phase] || this.#outbox.isEmpty) return undefined;
    const request = this.#outbox.take();
    this.#requestedRecords = request.window?.records ?? this.#requestedRecords;
    return request;
  }
}
