/**
 * A Consume call: records go out and verdicts come in, each as its own side allows. The generator is resumed when the
 * transport took the last message; only then are the next records taken, and the deadlines of the last begin.
 */

import type { ConsumerWaiting, Limits, MillraceError } from "../../core/index.js";
import { abortable } from "../../streams/index.js";
import type { Clock, LiveStream } from "../../telemetry/index.js";
import type { PageBudget } from "../reading/page-allowance.js";
import { heartbeatAfterMs } from "../reading/page-stream.js";
import type { ConsumeMessage, ConsumeOpening, ConsumerRequest } from "./handing-out/consume-messages.js";
import type { Consumer } from "./handing-out/consumer.js";
import type { JoinableGroups, Membership } from "./groups.js";

/** A heartbeat comes so soon after the reason for the silence changed, in milliseconds. */
const reasonMs = 500;
/**
 * A cancel by a client on Node reaches the server as a half-close, with the reset in a packet behind it (grpc-js.md #26).
 * So a consumer that half-closes while it has records is heard for this long before they are given back without blame.
 */
const resetMs = 100;
/** Ranges that may wait to be told to a consumer. Beyond that its requests are not read until it has read them. */
const newsMost = 10_000;

export interface ConsumeParts {
  readonly groups: JoinableGroups;
  readonly pageBudget: PageBudget;
  readonly limits: Limits;
  readonly clock: Clock;
  /** In [0, 1): spreads heartbeats. */
  readonly random: () => number;
}

export async function* consume(
  parts: ConsumeParts,
  opening: ConsumeOpening,
  requests: AsyncIterator<ConsumerRequest, undefined>,
  stream: LiveStream,
  signal: AbortSignal,
): AsyncGenerator<ConsumeMessage, void, undefined> {
  stream.waitFor("database");
  const { membership, consumer } = await parts.groups.join(opening, stream.peer, signal);
  const call = new ConsumeCall(parts, {
    membership,
    consumer,
    stream,
    signal,
    isStored: opening.kind === "subscription",
  });
  const intake = call.takeIn(requests);
  try {
    yield call.started();
    // No message is named here: one held by a suspended generator would cost a stalled consumer its size once more.
    while (await call.prepare()) {
      yield call.message();
      call.delivered();
    }
    // The node drains: what it has said was written, and now the call ends as all do.
    signal.throwIfAborted();
  } finally {
    call.leave();
    void requests.return?.();
    await intake;
  }
}

interface CallParts {
  readonly membership: Membership;
  readonly consumer: Consumer;
  readonly stream: LiveStream;
  readonly signal: AbortSignal;
  readonly isStored: boolean;
}

class ConsumeCall {
  readonly #parts: ConsumeParts;
  readonly #call: CallParts;
  readonly #allowance: ReturnType<PageBudget["forStream"]>;
  readonly #left = new AbortController();
  /** Aborts when nobody is left to send to: not when the node drains. */
  readonly #gone: AbortSignal;
  #message: ConsumeMessage | undefined;
  #isLast = false;
  #grant: ReturnType<ReturnType<PageBudget["forStream"]>["take"]> | undefined;
  #messageBytes = 0;
  /** The client has said all that it will say, or is not heard any more. */
  #isHalfClosed = false;
  /** Set: how the requests failed. */
  #refusal: unknown;
  #heartbeatMs: number;
  #waiting: { readonly reason: ConsumerWaiting; readonly sinceMs: number } = { reason: "nothing", sinceMs: 0 };
  #told: ConsumerWaiting = "nothing";

  constructor(parts: ConsumeParts, call: CallParts) {
    this.#parts = parts;
    this.#call = call;
    this.#allowance = parts.pageBudget.forStream();
    this.#gone = untilGone(call.signal, this.#left.signal);
    this.#heartbeatMs = this.#nextHeartbeatMs();
    const onDrain = () => call.membership.drain();
    if (call.signal.aborted) onDrain();
    else call.signal.addEventListener("abort", onDrain, { once: true, signal: this.#left.signal });
    const { topic } = call.membership;
    call.stream.topic = topic.name;
    call.stream.measureLag(() => {
      const { earliestOffset, nextOffset } = topic.tip.value;
      // What was trimmed is not delivered.
      return Math.max(0, nextOffset - Math.max(earliestOffset, call.membership.group.cursor));
    });
  }

  started(): ConsumeMessage {
    const { membership, consumer } = this.#call;
    const { session, cursor, sharing, group } = membership;
    const { ackDeadlineMs } = group.policy;
    return messageOf({ kind: "started", session, cursor, window: consumer.window, ackDeadlineMs, sharing });
  }

  /** Hears what the client says, as fast as it is told what became of it. Never throws. */
  async takeIn(requests: AsyncIterator<ConsumerRequest, undefined>): Promise<void> {
    const { membership, consumer } = this.#call;
    try {
      for (;;) {
        while (consumer.newsCount > newsMost) await consumer.untilTold(this.#gone);
        const { done, value } = await requests.next();
        if (done || this.#left.signal.aborted) break;
        membership.group.hear(consumer, value);
      }
    } catch (error) {
      if (!this.#left.signal.aborted) this.#refusal = error;
    }
    this.#isHalfClosed = true;
    consumer.wake();
    if (this.#call.isStored) this.#giveBackUnread();
  }

  /** A client that half-closes and does not read would keep its records until their deadline, and be to blame for it. */
  #giveBackUnread(): void {
    const { membership, consumer } = this.#call;
    const cancelTimer = this.#parts.clock.startTimer(resetMs, () => {
      this.#gone.removeEventListener("abort", cancelTimer);
      if (consumer.isSending && !this.#gone.aborted) membership.group.leave(consumer, false);
    });
    this.#gone.addEventListener("abort", cancelTimer, { once: true });
    if (this.#gone.aborted) cancelTimer();
  }

  /** Waits until there is a message; false: the call is done. */
  async prepare(): Promise<boolean> {
    if (this.#isLast) return false;
    this.#message = await this.#next();
    return this.#message !== undefined;
  }

  /** The message that was prepared: it is kept nowhere. */
  message(): ConsumeMessage {
    const message = this.#message as ConsumeMessage;
    this.#message = undefined;
    this.#call.consumer.sending();
    return message;
  }

  async #next(): Promise<ConsumeMessage | undefined> {
    const { membership, consumer, stream } = this.#call;
    const { group } = membership;
    for (;;) {
      this.#gone.throwIfAborted();
      if (this.#refusal !== undefined) throw this.#refusal;
      if (consumer.failure !== undefined) throw consumer.failure;
      const { version } = consumer;
      const isDraining = this.#call.signal.aborted;
      if (this.#isHalfClosed && (this.#call.isStored || isDraining)) return this.#farewell();
      // A node that drains waits for what it delivered to be settled, and delivers nothing more.
      if (isDraining && consumer.held.records === 0) return this.#farewell();
      this.#grant ??= this.#allowance.take();
      const handed = isDraining ? undefined : group.take(consumer, this.#grant.bytes);
      const confirmed = consumer.takeConfirmed();
      const event = consumer.takeEvent();
      if (handed !== undefined || confirmed !== undefined || event !== undefined) {
        this.#messageBytes = handed?.runs.reduce((bytes, run) => bytes + run.length, 0) ?? 0;
        this.#heartbeatMs = this.#nextHeartbeatMs();
        // The silence begins anew: a consumer whose window is full after every record need not hear so each time.
        if (handed !== undefined) {
          this.#told = "nothing";
          this.#waiting = { reason: "nothing", sinceMs: this.#parts.clock.monotonicMs() };
        }
        stream.nextOffset = group.cursor;
        return { runs: [], records: 0, attempt: 0, ...handed, confirmed, event };
      }
      this.#releaseGrant();
      if (this.#isAtEnd()) {
        this.#isLast = true;
        return messageOf({ kind: "closed" });
      }
      const reason = group.waitingOf(consumer);
      if (this.#isHalfClosed && reason !== "database" && reason !== "nothing") return this.#farewell();
      const silenceMs = this.#silenceMs(reason);
      // It may be woken again and again for nothing.
      if (silenceMs <= 0) return this.#heartbeat();
      await consumer.changed(version, silenceMs, this.#gone);
    }
  }

  /** The transport took the last message. */
  delivered(): void {
    const { membership, consumer } = this.#call;
    consumer.delivered(membership.group.policy.ackDeadlineMs);
    this.#allowance.delivered(this.#messageBytes);
    this.#releaseGrant();
  }

  leave(): void {
    const { membership, consumer, signal } = this.#call;
    const isDraining = signal.aborted && isDrain(signal.reason);
    const wasLost = !this.#isLast && signal.aborted && !isDraining && consumer.failure === undefined;
    membership.leave(wasLost);
    this.#releaseGrant();
    this.#left.abort();
  }

  /** The last message: what it had goes to others, and what it said is written and told. */
  async #farewell(): Promise<ConsumeMessage | undefined> {
    const { membership, consumer, signal } = this.#call;
    if (consumer.held.records > 0 && !signal.aborted) await this.#untilNotReset();
    membership.group.leave(consumer, false);
    await abortable(membership.group.writer.flush(), this.#gone);
    this.#isLast = true;
    const confirmed = consumer.takeConfirmed();
    return confirmed && { runs: [], records: 0, attempt: 0, confirmed, event: undefined };
  }

  /** Throws when the half-close was the beginning of a cancel. */
  #untilNotReset(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const onReset = (): void => {
        cancelTimer();
        reject(this.#gone.reason as Error);
      };
      const cancelTimer = this.#parts.clock.startTimer(resetMs, () => {
        this.#gone.removeEventListener("abort", onReset);
        resolve();
      });
      this.#gone.addEventListener("abort", onReset, { once: true });
    });
  }

  /** Nothing will come any more. */
  #isAtEnd(): boolean {
    const { membership, consumer, isStored } = this.#call;
    if (isStored) return consumer.isAtEnd;
    return membership.topic.tip.value.state === "closed" && membership.group.isIdle;
  }

  /** How long to wait for something to send before a heartbeat. */
  #silenceMs(reason: ConsumerWaiting): number {
    const { consumer, stream } = this.#call;
    const nowMs = this.#parts.clock.monotonicMs();
    consumer.waiting = reason;
    stream.waitFor(streamWaiting[reason]);
    if (reason !== this.#waiting.reason) this.#waiting = { reason, sinceMs: nowMs };
    const dueMs = reason === this.#told || reason === "nothing" ? Infinity : this.#waiting.sinceMs + reasonMs;
    return Math.ceil(Math.min(dueMs, this.#heartbeatMs) - nowMs);
  }

  #heartbeat(): ConsumeMessage {
    const { membership, consumer } = this.#call;
    const { group, topic } = membership;
    this.#heartbeatMs = this.#nextHeartbeatMs();
    this.#told = group.waitingOf(consumer);
    return messageOf({
      kind: "heartbeat",
      waiting: this.#told,
      outstandingRecords: consumer.held.records,
      outstandingBytes: consumer.held.bytes,
      window: consumer.window,
      cursor: { epoch: topic.epoch, offset: group.cursor },
      nextOffset: topic.tip.value.nextOffset,
      retryRecords: group.retryCount,
    });
  }

  #nextHeartbeatMs(): number {
    return this.#parts.clock.monotonicMs() + heartbeatAfterMs(this.#parts);
  }

  #releaseGrant(): void {
    this.#grant?.release();
    this.#grant = undefined;
  }
}

/** What InspectService says of a stream that waits for such a reason. */
const streamWaiting = {
  nothing: "nothing",
  "caught-up": "new-records",
  "window-full-records": "client-message",
  "window-full-bytes": "client-message",
  paused: "new-records",
  "retry-backlog-full": "client-message",
  "keys-busy": "client-message",
  "other-consumers": "new-records",
  database: "database",
  "retry-delay": "new-records",
  "transport-blocked": "client-window",
  "node-budget": "client-message",
} as const satisfies Record<ConsumerWaiting, LiveStream["waiting"]>;

function messageOf(event: NonNullable<ConsumeMessage["event"]>): ConsumeMessage {
  return { runs: [], records: 0, attempt: 0, confirmed: undefined, event };
}

function isDrain(reason: unknown): boolean {
  return (reason as MillraceError | undefined)?.code === "draining";
}

/** A draining node still tells what was written; a client that is gone, or whose call has ended, is told nothing. */
function untilGone(signal: AbortSignal, left: AbortSignal): AbortSignal {
  const gone = new AbortController();
  left.addEventListener("abort", () => gone.abort(left.reason), { once: true });
  const onAbort = (): void => {
    if (!isDrain(signal.reason)) gone.abort(signal.reason);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true, signal: left });
  return gone.signal;
}
