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
import { mayEnd, maySay, opening, type SessionEvent, type SessionState, step, termsOf } from "./session-life.js";
import { SessionRecords } from "./session-records.js";
import { staleDeliveries } from "./stale-deliveries.js";
import { releaseShare, type WorkingWindow } from "./working-window.js";

export interface ConsumeSessionOptions {
  /** Empty: an ephemeral consumer's. */
  readonly subscription: string;
  readonly opening: ConsumeRequest;
  /** Whether the deadlines of what is in hand are extended. */
  readonly extend: boolean;
  readonly window: WorkingWindow;
  /** Of an ephemeral consumer. */
  readonly place: EphemeralPlace | undefined;
  readonly timers: Timers;
  readonly commit: (held: Held, append: readonly Output[]) => Promise<readonly CommittedOutput[]>;
  /** There may be something to take. */
  readonly onRecords: () => void;
  readonly onEvent: (event: ConsumeEvent) => void;
}

const closedWindow: Window = { records: 0, bytes: 0 };

/** Deadlines are looked at so often, in parts of a deadline. */
const tickShare = 1 / 8;

/**
 * One Consume call (its life: session-life.ts): the records that it delivered (theirs: delivery-life.ts), and what is to
 * be said of them.
 *
 * Deadlines run here as they do at the server, and a little later. After half of its time, what is in hand is extended,
 * and what nobody has begun to work on is released for other consumers; where there can be no other, it is extended, too,
 * and stays in order.
 */
export class ConsumeSession implements DeliveryCall {
  readonly subscription: string;
  readonly #call: StreamingCall<ConsumeRequest, ConsumeMessage>;
  readonly #options: ConsumeSessionOptions;
  readonly #records = new SessionRecords(this);
  readonly #outbox = new Acknowledgements();
  readonly #confirmations = new Confirmations();
  readonly #sender: RequestSender;
  readonly #nowMs: () => number;
  #state: SessionState = opening;
  /** How many records the window has that was asked for last, and the one that holds. */
  #askedRecords: number;
  #heldRecords = Infinity;
  #cancelTick: (() => void) | undefined;

  constructor(call: StreamingCall<ConsumeRequest, ConsumeMessage>, options: ConsumeSessionOptions) {
    this.subscription = options.subscription;
    this.#call = call;
    this.#options = options;
    this.#nowMs = () => options.timers.monotonicMs();
    this.#askedRecords = options.opening.window?.records ?? Infinity;
    this.#sender = new RequestSender(options.opening, {
      send: (request) => call.send(request),
      take: () => this.#takeRequest(),
      onIdle: () => {
        if (this.#records.inHand.size === 0) this.#become({ type: "all-said" });
      },
    });
  }

  get session(): number {
    return termsOf(this.#state).session;
  }

  /** Records that arrived and that are not settled. */
  get outstanding(): number {
    return this.#records.outstanding;
  }

  /** The messages of the call; an end that was not to be expected is an error. */
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

  /** Takes a message in. */
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

  /** The window to ask for has changed. */
  askForWindow(): void {
    const { phase } = this.#state;
    if (phase !== "opening" && phase !== "running") return;
    this.#outbox.window = this.#options.window.window;
    this.#say();
  }

  /** Releases what nobody has begun, and wants no more; when everything in hand is settled, the call ends. */
  stop(): void {
    this.#become({ type: "stop" });
  }

  /** Rejects what is in hand. */
  failInHand(reason: string): void {
    for (const held of this.#records.inHand) held.fail(reason);
  }

  /** The call is lost, or has ended. */
  close(): void {
    this.#become({ type: "ended" });
  }

  leave(held: Held, verdict: Verdict | undefined): void {
    if (!this.#records.leave(held)) return;
    if (verdict !== undefined) held.addTo(this.#outbox.saying(verdict, held.attempt));
    // With the last one in hand, there may be nothing left to say.
    this.#say();
  }

  confirmation<Word extends string>(held: Held, word: Word): Promise<Word | "stale"> {
    return this.#state.phase === "over" ? Promise.resolve("stale") : this.#confirmations.expect(held, word);
  }

  extend(held: Held, ms: number | undefined): void {
    held.deadlineMs = this.#nowMs() + (ms ?? this.#ackDeadlineMs);
    held.addTo(this.#outbox.extending(held.attempt, ms));
    this.#say();
  }

  commit(held: Held, append: readonly Output[]): Promise<readonly CommittedOutput[]> {
    return this.#options.commit(held, append);
  }

  get #ackDeadlineMs(): number {
    return termsOf(this.#state).ackDeadlineMs;
  }

  /** The one writer of the call's state, with what follows. */
  #become(event: SessionEvent): void {
    const before = this.#state;
    this.#state = step(before, event);
    if (this.#state.phase === before.phase) return;
    switch (this.#state.phase) {
      case "stopping":
        this.#outbox.window = closedWindow;
        while (this.#records.arrivals.count > 0) this.#releaseOldest();
        this.#say();
        this.#checkWindow();
        return;
      case "finishing":
        this.#say();
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

  /** Measures how fast records are begun. `undefined`: the caller waits for more records. */
  #handed<Item extends Held>(held: Item | undefined): Item | undefined {
    const { window } = this.#options;
    const hasGrown =
      held === undefined ? window.starved(this.outstanding, this.#nowMs) : window.begun(held.count, this.#nowMs);
    if (hasGrown) this.askForWindow();
    return held;
  }

  #receive({ records, attempt }: ConsumeMessage): void {
    const redelivered = this.#records.takeBack(records);
    // What was said of the delivery before was said too late.
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
        this.#holds(event.window);
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
        this.#holds(event.window);
        return;
      case "reconnecting":
        return;
      default:
        throw event satisfies never;
    }
  }

  /** The server answers each change, and only changes: the user may have closed the window before. */
  #holds({ records }: Window): void {
    this.#heldRecords = records;
    this.#checkWindow();
  }

  /** Messages arrive in order: when a closed window is confirmed, what was sent before it has arrived. */
  #checkWindow(): void {
    if (this.#askedRecords === 0 && this.#heldRecords === 0) this.#become({ type: "no-more" });
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
      // Nobody tells that work on a batch continues: when nothing more is wanted, it is not extended any more.
      else if (this.#isDue(leftMs) && this.#options.extend && (phase === "running" || !(held instanceof HeldBatch))) {
        this.extend(held, undefined);
      }
    }
    this.#options.window.passed(nowMs);
    if (termsOf(this.#state).isAlone) this.#extendArrivals(nowMs);
    else this.#releaseArrivals(nowMs);
  }

  /** Whether half of the time is over. */
  #isDue(leftMs: number): boolean {
    return leftMs <= this.#ackDeadlineMs * (1 - releaseShare);
  }

  #extendArrivals(nowMs: number): void {
    for (const arrival of this.#records.arrivals) {
      if (!this.#isDue(arrival.heldSinceMs + this.#ackDeadlineMs - nowMs)) continue;
      arrival.heldSinceMs = nowMs;
      const { records, at, attempt } = arrival;
      addOffsets(records.slice(at), this.#outbox.extending(attempt, undefined));
      this.#say();
    }
  }

  /** Releases what nobody has begun in time, and asks for no more than will be begun. */
  #releaseArrivals(nowMs: number): void {
    const { arrivals } = this.#records;
    let arrivedMs: number | undefined;
    for (let { oldest } = arrivals; oldest !== undefined; { oldest } = arrivals) {
      if (!this.#isDue(oldest.heldSinceMs + this.#ackDeadlineMs - nowMs)) break;
      arrivedMs = oldest.heldSinceMs;
      this.#releaseOldest();
    }
    if (arrivedMs !== undefined && this.#options.window.released(arrivedMs, nowMs)) this.askForWindow();
  }

  #releaseOldest(): void {
    const arrival = this.#records.arrivals.takeMessage();
    if (arrival !== undefined) this.#release(arrival.records, arrival.attempt);
  }

  #release(records: readonly ReceivedRecord[], attempt: number): void {
    addOffsets(records, this.#outbox.saying(release, attempt));
    this.#say();
  }

  #say(): void {
    if (maySay[this.#state.phase]) this.#sender.wake();
  }

  #takeRequest(): ConsumeRequest | undefined {
    if (!maySay[this.#state.phase] || this.#outbox.isEmpty) return undefined;
    const request = this.#outbox.take();
    this.#askedRecords = request.window?.records ?? this.#askedRecords;
    return request;
  }
}
