import { RangeSet, type Window } from "../../core/index.js";
import type {
  ConsumeRequest,
  ConsumeResponse_Confirmed as Confirmed,
} from "../../gen/millrace/v1/subscription_service.js";
import type { ReceivedRecord } from "../../wire/index.js";
import { clientError } from "../client-error.js";
import type { StreamingCall } from "../streaming-call.js";
import { Acknowledgements } from "./acknowledgements.js";
import { Arrivals } from "./arrivals.js";
import { Confirmations, toRange } from "./confirmations.js";
import type { ConsumeEvent } from "./consume-event.js";
import { eventOf } from "./consume-event.js";
import type { ConsumeMessage } from "./consume-message.js";
import { eachRun, HeldBatch, HeldRecord } from "./delivery.js";
import type { EphemeralPlace } from "./ephemeral-place.js";
import type { DeliveryCall, Held, Verdict } from "./held.js";
import type { CommittedOutput, Output } from "./output.js";

export interface ConsumeSessionOptions {
  /** Empty: an ephemeral consumer's. */
  readonly subscription: string;
  readonly opening: ConsumeRequest;
  /** Whether what is in hand, and takes long, is given more time. */
  readonly extend: boolean;
  /** Of an ephemeral consumer. */
  readonly place: EphemeralPlace | undefined;
  readonly commit: (held: Held, append: readonly Output[]) => Promise<readonly CommittedOutput[]>;
  readonly onRecords: () => void;
  readonly onEvent: (event: ConsumeEvent) => void;
}

const released: Verdict = { kind: "release" };

/**
 * One Consume call: what it has brought, who has it in hand, and what is to be said of it.
 *
 * Deadlines run here as they do at the server, a little later. Of what is in hand they are extended when half of the time
 * is over; what nobody has taken by then is given back, for somebody else to work on, unless nobody else there can be: then
 * it is extended too, and stays in order. One timer does it for all.
 */
export class ConsumeSession implements DeliveryCall {
  readonly subscription: string;
  readonly #call: StreamingCall<ConsumeRequest, ConsumeMessage>;
  readonly #options: ConsumeSessionOptions;
  readonly #arrivals = new Arrivals();
  readonly #inHand = new Set<Held>();
  readonly #outbox = new Acknowledgements();
  readonly #confirmations = new Confirmations();
  #session = 0;
  #ackDeadlineMs = Infinity;
  /** Nobody else can get what this one has. */
  #isAlone = false;
  /** The highest offset that came: what is above it comes for the first time. */
  #highest = -1;
  #inHandRecords = 0;
  #isSending = true;
  /** Finishes what is in hand, and wants no more. */
  #isStopping = false;
  /** Everything is said. */
  #isFinished = false;
  #isClosed = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(call: StreamingCall<ConsumeRequest, ConsumeMessage>, options: ConsumeSessionOptions) {
    this.subscription = options.subscription;
    this.#call = call;
    this.#options = options;
    void this.#send(options.opening);
  }

  get session(): number {
    return this.#session;
  }

  /** Records that came and that are not settled. */
  get outstanding(): number {
    return this.#arrivals.count + this.#inHandRecords;
  }

  /** What the call gives; its end is an error unless it was to be expected. */
  get messages(): StreamingCall<never, ConsumeMessage> {
    const call = this.#call;
    return {
      receive: async (signal) => {
        const message = await call.receive(signal);
        if (message !== undefined || this.#isClosed || this.#isFinished) return message;
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
    const from = this.#arrivals.oldest;
    const record = this.#arrivals.takeOne();
    if (record === undefined || from === undefined) return undefined;
    return this.#hand(new HeldRecord(this, record, from.attempt, from.heldSince + this.#ackDeadlineMs));
  }

  /** Hands out the next message. */
  takeBatch(): HeldBatch | undefined {
    const from = this.#arrivals.takeMessage();
    if (from === undefined) return undefined;
    return this.#hand(new HeldBatch(this, from.records, from.attempt, from.heldSince + this.#ackDeadlineMs));
  }

  setWindow(window: Window): void {
    if (this.#isStopping) return;
    this.#outbox.window = window;
    this.#flushSoon();
  }

  /** Gives back what nobody has taken, and wants no more; when everything in hand is settled, the call ends. */
  stop(): void {
    if (this.#isStopping || this.#isOver) return;
    this.#outbox.window = { records: 0, bytes: 0 };
    this.#isStopping = true;
    this.#releaseArrivals();
    this.#flushSoon();
  }

  /** Gives back what is in hand. */
  releaseInHand(): void {
    for (const held of this.#inHand) held.giveBack();
  }

  /** The call is lost, or has ended: nothing of it is anybody's any more. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#arrivals.clear();
    for (const held of this.#inHand) this.#lose(held);
    this.#confirmations.close();
  }

  settle(held: Held, verdict: Verdict): void {
    this.forget(held);
    held.eachRun((first, next) => this.#outbox.add(verdict, first, next));
    this.#flushSoon();
  }

  settleAndTell<Word extends string>(held: Held, verdict: Verdict, word: Word): Promise<Word | "stale"> {
    if (this.#isOver) return Promise.resolve("stale");
    const told = this.#confirmations.expect(held, word);
    this.settle(held, verdict);
    return told;
  }

  extend(held: Held, ms: number | undefined): void {
    held.deadlineAt = performance.now() + (ms ?? this.#ackDeadlineMs);
    held.eachRun((first, next) => this.#outbox.extend(first, next, ms));
    this.#flushSoon();
  }

  forget(held: Held): void {
    if (!this.#inHand.delete(held)) return;
    this.#inHandRecords -= held.count;
    if (this.#isStopping) this.#flushSoon();
  }

  commit(held: Held, append: readonly Output[]): Promise<readonly CommittedOutput[]> {
    return this.#options.commit(held, append);
  }

  #hand<Item extends Held>(held: Item): Item {
    this.#inHand.add(held);
    this.#inHandRecords += held.count;
    return held;
  }

  #lose(held: Held): void {
    held.lose();
    this.forget(held);
  }

  #receive({ records, attempt }: ConsumeMessage): void {
    this.#forgetEarlier(records);
    if (this.#isStopping) {
      eachRun(records, (first, next) => this.#outbox.add(released, first, next));
      this.#flushSoon();
      return;
    }
    this.#arrivals.push(records, Math.max(1, attempt), performance.now());
    this.#options.onRecords();
  }

  /** What comes again was taken off whoever had it: the server had waited for longer than this side thought. */
  #forgetEarlier(records: readonly ReceivedRecord[]): void {
    const before = this.#highest;
    let lowest = Infinity;
    let again: RangeSet | undefined;
    for (const { offset } of records) {
      if (offset > this.#highest) this.#highest = offset;
      if (offset > before) continue;
      (again ??= new RangeSet()).add(offset, offset + 1);
      if (offset < lowest) lowest = offset;
    }
    if (again === undefined || this.outstanding === 0) return;
    for (const held of this.#inHand) if (isAmong(held, again)) this.#lose(held);
    this.#arrivals.forget(again, lowest, before);
  }

  #note(event: ConsumeEvent): void {
    const { place } = this.#options;
    switch (event.type) {
      case "started":
        this.#session = event.session;
        this.#ackDeadlineMs = event.ackDeadlineMs || Infinity;
        this.#isAlone = event.sharing === "exclusive" || event.session === 0;
        place?.begin(event.cursor);
        clearInterval(this.#timer);
        if (event.ackDeadlineMs > 0) this.#timer = setInterval(this.#keepAlive, event.ackDeadlineMs / 4);
        return;
      case "heartbeat":
        place?.reach(event.cursor);
        return;
      case "skipped":
        place?.done({ firstOffset: event.firstOffset, nextOffset: event.nextOffset });
        return;
      case "closed":
        this.#isClosed = true;
        return;
      case "window-changed":
      case "reconnecting":
        return;
      default:
        throw event satisfies never;
    }
  }

  #confirm(confirmed: Confirmed): void {
    this.#confirmations.confirm(confirmed);
    const { place } = this.#options;
    if (place !== undefined) {
      for (const range of [...confirmed.acknowledged, ...confirmed.parked]) place.done(toRange(range));
    }
    if (confirmed.stale.length === 0) return;
    const stale = new RangeSet(confirmed.stale.map(toRange));
    for (const held of this.#inHand) if (isAmong(held, stale)) this.#lose(held);
  }

  #keepAlive = (): void => {
    const now = performance.now();
    const { extend } = this.#options;
    for (const held of this.#inHand) {
      const leftMs = held.deadlineAt - now;
      if (leftMs <= 0) this.#lose(held);
      // Nobody tells that work on a batch is going on: once nothing more is wanted, it has the time that it has.
      else if (extend && leftMs <= this.#ackDeadlineMs / 2 && !(this.#isStopping && held instanceof HeldBatch)) {
        this.extend(held, undefined);
      }
    }
    if (extend && this.#isAlone) this.#extendArrivals(now);
    else this.#releaseOlder(now - (extend ? this.#ackDeadlineMs / 2 : this.#ackDeadlineMs));
  };

  #extendArrivals(now: number): void {
    for (const arrival of this.#arrivals) {
      if (now - arrival.heldSince < this.#ackDeadlineMs / 2) continue;
      arrival.heldSince = now;
      eachRun(arrival.records.slice(arrival.at), (first, next) => this.#outbox.extend(first, next, undefined));
      this.#flushSoon();
    }
  }

  /** Gives back what came before, or at, this time. */
  #releaseOlder(time: number): void {
    for (
      let { oldest } = this.#arrivals;
      oldest !== undefined && oldest.heldSince <= time;
      { oldest } = this.#arrivals
    ) {
      this.#releaseOldest();
    }
  }

  #releaseArrivals(): void {
    while (this.#arrivals.count > 0) this.#releaseOldest();
  }

  #releaseOldest(): void {
    const arrival = this.#arrivals.takeMessage();
    if (arrival === undefined) return;
    eachRun(arrival.records, (first, next) => this.#outbox.add(released, first, next));
    this.#flushSoon();
  }

  /**
   * What is said in this turn of the event loop is one message. Not a microtask: a loop that never waits goes from record
   * to record by microtasks, and each would be a message.
   */
  #flushSoon(): void {
    // What comes after the end of this side is given back by the server.
    if (this.#isSending || this.#isFinished || this.#isOver) return;
    this.#isSending = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    if (this.#isOver) return;
    if (!this.#outbox.isEmpty) {
      void this.#send(this.#outbox.take());
      return;
    }
    this.#isSending = false;
    if (!this.#isStopping || this.#inHand.size > 0) return;
    this.#isFinished = true;
    this.#call.halfClose();
  };

  /** One message at a time: while the transport has not taken it, what is said gathers. */
  async #send(request: ConsumeRequest): Promise<void> {
    await this.#call.send(request);
    this.#flush();
  }
}

function isAmong(held: Held, offsets: RangeSet): boolean {
  let isIn = false;
  held.eachRun((first, next) => {
    for (let offset = first; offset < next && !isIn; offset++) isIn = offsets.has(offset);
  });
  return isIn;
}
