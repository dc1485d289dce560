/**
 * A Consume call: records go out and verdicts come in, each at its own pace. The generator is resumed when the transport took
 * the last message. Then the deadlines of its records begin, and the next records are taken.
 */

import type { ConsumerWaiting, Limits, MillraceError } from "../../core/index.js";
import { abortable } from "../../streams/index.js";
import type { Clock, LiveStream } from "../../telemetry/index.js";
import type { PageBudget } from "../reading/page-allowance.js";
import type { ConsumeMessage, ConsumeOpening, ConsumerRequest } from "./handing-out/consume-messages.js";
import type { Consumer } from "./handing-out/consumer.js";
import type { JoinableGroups } from "./groups.js";
import type { Membership } from "./membership.js";
import { Silence } from "./silence.js";

/**
 * A cancel by a client on Node reaches the server as a half-close, and its reset arrives in a later packet (grpc-js.md #26).
 * So when a consumer half-closes while it has records, the call waits this long for a reset. Without one, the records are
 * given back without a failure.
 */
const resetMs = 100;
/** How many ranges and events may wait for the consumer. Beyond that, requests are not read until the consumer has read them. */
const newsMax = 10_000;

export interface ConsumeParts {
  readonly groups: JoinableGroups;
  readonly pageBudget: PageBudget;
  readonly limits: Limits;
  readonly clock: Clock;
  /** In [0, 1): spreads heartbeats. */
  readonly random: () => number;
}

export interface ConsumeOptions {
  readonly opening: ConsumeOpening;
  readonly requests: AsyncIterator<ConsumerRequest, undefined>;
  readonly stream: LiveStream;
}

export async function* consume(
  parts: ConsumeParts,
  { opening, requests, stream }: ConsumeOptions,
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
    // No variable has the message: in a suspended generator it would cost each stalled consumer its size once more.
    while (await call.prepare()) {
      yield call.message();
      call.delivered();
    }
    // Where the node drains, all verdicts were written, and the call ends with the error of a drain.
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
  /** Aborts when the client is gone, or the call has ended; not when the node drains. */
  readonly #gone: AbortSignal;
  #message: ConsumeMessage | undefined;
  #isLast = false;
  #grant: ReturnType<ReturnType<PageBudget["forStream"]>["take"]> | undefined;
  #messageBytes = 0;
  /** The client sends no more requests, or they are not read any more. */
  #isHalfClosed = false;
  /** The error of the requests. */
  #refusal: unknown;
  readonly #silence: Silence;

  constructor(parts: ConsumeParts, call: CallParts) {
    this.#parts = parts;
    this.#call = call;
    this.#allowance = parts.pageBudget.forStream();
    this.#gone = untilGone(call.signal, this.#left.signal);
    this.#silence = new Silence(parts);
    const onDrain = () => call.membership.drain();
    if (call.signal.aborted) onDrain();
    else call.signal.addEventListener("abort", onDrain, { once: true, signal: this.#left.signal });
    const { topic } = call.membership;
    call.stream.topic = topic.name;
    call.stream.measureLag(() => {
      const { earliestOffset, nextOffset } = topic.tip.value;
      // Trimmed records are not delivered.
      return Math.max(0, nextOffset - Math.max(earliestOffset, call.membership.group.cursor));
    });
  }

  started(): ConsumeMessage {
    const { membership, consumer } = this.#call;
    const { session, cursor, sharing, group } = membership;
    const { ackDeadlineMs } = group.settings.policy;
    return messageOf({ kind: "started", session, cursor, window: consumer.window, ackDeadlineMs, sharing });
  }

  /** Reads requests, as fast as the client reads what became of them. Never throws. */
  async takeIn(requests: AsyncIterator<ConsumerRequest, undefined>): Promise<void> {
    const { membership, consumer } = this.#call;
    try {
      for (;;) {
        while (consumer.newsCount > newsMax) await consumer.untilTold(this.#gone);
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

  /** A client that half-closes and does not read would keep its records until their deadlines, and these count as failures. */
  #giveBackUnread(): void {
    const { membership, consumer } = this.#call;
    const cancelTimer = this.#parts.clock.startTimer(resetMs, () => {
      this.#gone.removeEventListener("abort", cancelTimer);
      if (consumer.isSending && !this.#gone.aborted) membership.group.leave(consumer, false);
    });
    this.#gone.addEventListener("abort", cancelTimer, { once: true });
    if (this.#gone.aborted) cancelTimer();
  }

  /** Waits until there is a message; false: the call ends. */
  async prepare(): Promise<boolean> {
    if (this.#isLast) return false;
    this.#message = await this.#next();
    return this.#message !== undefined;
  }

  /** Gives the message that was prepared, and keeps it no longer. */
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
      // A node that drains delivers nothing more, and waits until the consumer has settled its records.
      if (isDraining && consumer.held.records === 0) return this.#farewell();
      this.#grant ??= this.#allowance.take();
      const handed = isDraining ? undefined : group.take(consumer, this.#grant.bytes);
      const confirmed = consumer.takeConfirmed();
      const event = consumer.takeEvent();
      if (handed !== undefined || confirmed !== undefined || event !== undefined) {
        this.#messageBytes = handed?.runs.reduce((bytes, run) => bytes + run.length, 0) ?? 0;
        this.#silence.end(handed !== undefined);
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
      consumer.waiting = reason;
      stream.waitFor(streamWaiting[reason]);
      const silenceMs = this.#silence.leftMs(reason);
      // Checked before each wait: a consumer may be woken many times for nothing.
      if (silenceMs <= 0) return this.#heartbeat();
      await consumer.changed(version, silenceMs, this.#gone);
    }
  }

  /** The transport took the last message. */
  delivered(): void {
    const { membership, consumer } = this.#call;
    consumer.delivered(membership.group.settings.policy.ackDeadlineMs);
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

  /** Gives the consumer's records to others, writes its verdicts, and gives the last message, which confirms them. */
  async #farewell(): Promise<ConsumeMessage | undefined> {
    const { membership, consumer, signal } = this.#call;
    if (consumer.held.records > 0 && !signal.aborted) await this.#untilNotReset();
    membership.group.leave(consumer, false);
    await abortable(membership.group.records.writer.flush(), this.#gone);
    this.#isLast = true;
    const confirmed = consumer.takeConfirmed();
    return confirmed && { runs: [], records: 0, attempt: 0, confirmed, event: undefined };
  }

  /** Waits `resetMs`. Throws where the half-close turns out to be a cancel. */
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

  /** Whether no record will come any more. */
  #isAtEnd(): boolean {
    const { membership, consumer, isStored } = this.#call;
    if (isStored) return consumer.isAtEnd;
    return membership.topic.tip.value.state === "closed" && membership.group.isIdle;
  }

  #heartbeat(): ConsumeMessage {
    const { membership, consumer } = this.#call;
    const { group, topic } = membership;
    const waiting = group.waitingOf(consumer);
    this.#silence.tell(waiting);
    return messageOf({
      kind: "heartbeat",
      waiting,
      outstandingRecords: consumer.held.records,
      outstandingBytes: consumer.held.bytes,
      window: consumer.window,
      cursor: { epoch: topic.epoch, offset: group.cursor },
      nextOffset: topic.tip.value.nextOffset,
      retryRecords: group.records.redelivery.count,
    });
  }

  #releaseGrant(): void {
    this.#grant?.release();
    this.#grant = undefined;
  }
}

/** What a stream waits for by InspectService, by the reason of its consumer. */
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

/** Aborts with a call, but not for a drain: then its client still receives the confirmations. */
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
