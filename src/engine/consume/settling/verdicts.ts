/**
 * What becomes of records that consumers have: what they say, and what is concluded where they say nothing. Each is an
 * event of the record's life; this file passes the state that it leads to on to what acts on it.
 */

import { RangeSet, type Sharing } from "../../../core/index.js";
import type { Clock, Metrics } from "../../../telemetry/index.js";
import { slotOf } from "../../../wire/index.js";
import type { ConsumerRequest, DeliveredRange } from "../handing-out/consume-messages.js";
import type { Consumer, Verdict } from "../handing-out/consumer.js";
import type { AskedRange } from "../records/held-runs.js";
import type { OutstandingBudget } from "../records/outstanding-budget.js";
import type { ReadyRecords } from "../handing-out/ready-records.js";
import { type FailureRules, type RecordEvent, step } from "../records/record-life.js";
import { attemptOf, type HeldRun, recordsIn, type RecordRun } from "../records/record-run.js";
import type { DeliverySettings } from "./delivery-settings.js";
import type { Redelivery } from "./redelivery.js";
import type { Told } from "./settle-batch.js";
import type { SettleWriter } from "./settle-writer.js";

/** Runs of consumers that have gone are worked off in such steps, so that others are served in between. */
const departedRunsPerTurn = 1000;
/** They wait while this many records are not written yet. */
const unwrittenRecordsMax = 10_000;

export interface VerdictsParts {
  readonly sharing: Sharing;
  readonly settings: Readonly<DeliverySettings>;
  readonly ready: ReadyRecords;
  readonly redelivery: Redelivery;
  readonly writer: SettleWriter;
  readonly budget: OutstandingBudget;
  /** Whether this many more records may be parked. */
  readonly mayPark: (records: number) => boolean;
  /** This many more are parked. */
  readonly onPark: (records: number) => void;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** A verdict on some records, and the event that it is in their lives. */
interface OnRecords {
  readonly verdict: Verdict;
  readonly event: RecordEvent;
}

interface Said extends AskedRange, OnRecords {}

/** What consumers had that have gone. */
interface Departure {
  readonly runs: readonly HeldRun[];
  /** The first that was not worked off. */
  at: number;
  readonly event: RecordEvent;
}

export class Verdicts {
  readonly #parts: VerdictsParts;
  #departures: Departure[] = [];
  #departing: NodeJS.Immediate | undefined;

  constructor(parts: VerdictsParts) {
    this.#parts = parts;
  }

  /** Whether records of consumers that have gone are still to be worked off. */
  get isDeparting(): boolean {
    return this.#departures.length > 0;
  }

  /** What a consumer says of its records. Of an offset and attempt that it names twice in one message, the first counts. */
  hear(consumer: Consumer, request: ConsumerRequest): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const heard = new Map<number, { readonly ranges: RangeSet; readonly said: Said[] }>();
    const hear = ({ range, attempt }: DeliveredRange, verdict: Verdict, event: RecordEvent): void => {
      let of = heard.get(attempt);
      if (of === undefined) heard.set(attempt, (of = { ranges: new RangeSet(), said: [] }));
      for (const part of of.ranges.missing(range.firstOffset, range.nextOffset)) {
        const { firstOffset, nextOffset } = part;
        of.said.push({ firstOffset, nextOffset, attempt, verdict, event });
      }
      of.ranges.add(range.firstOffset, range.nextOffset);
    };
    const apply = (): void => {
      for (const { said } of heard.values()) this.#apply(consumer, said.splice(0));
    };
    const acknowledged = { verdict: "acknowledged", event: { type: "acknowledged" } } as const;
    for (const each of request.acknowledge) hear(each, acknowledged.verdict, acknowledged.event);
    if (request.acknowledgeThrough !== undefined) {
      apply();
      const through = { firstOffset: 0, nextOffset: request.acknowledgeThrough + 1 };
      consumer.held.take(through, (run) => this.#decide(consumer, run, acknowledged));
    }
    for (const each of request.reject) {
      hear(each, "rejected", { type: "rejected", delayMs: each.delayMs, reason: each.reason });
    }
    for (const each of request.extend) {
      const deadlineMs = nowMs + (each.byMs ?? this.#parts.settings.policy.ackDeadlineMs);
      hear(each, "extended", { type: "extended", deadlineMs });
    }
    for (const each of request.park) hear(each, "parked", { type: "parked", reason: each.reason });
    for (const each of request.release) hear(each, "released", { type: "released" });
    apply();
  }

  /** Takes off a consumer what it has had for too long. True: something was. */
  expire(consumer: Consumer, nowMs: number): boolean {
    let isLate = false;
    consumer.held.takeLate(nowMs, (run) => {
      isLate = true;
      const wasDelivered = run.state.phase === "outstanding";
      if (wasDelivered) consumer.wasLate(this.#parts.settings.policy.ackDeadlineMs);
      // It gets the message when it reads on, and may work on it: so it is told that this is in vain.
      else consumer.refuse(attemptOf(run), run.firstOffset, run.nextOffset);
      const reason = `attempt ${attemptOf(run)} by "${consumer.name}" was not acknowledged in time`;
      this.#conclude(run, { type: "deadline", reason }, consumer);
    });
    if (isLate) consumer.wake();
    return isLate;
  }

  /** Takes all that it has off a consumer that goes. `wasLost`: what it was delivered counts as failed. */
  takeAll(consumer: Consumer, wasLost: boolean): void {
    const runs = consumer.held.takeAll();
    if (runs.length === 0) return;
    const event: RecordEvent = wasLost
      ? { type: "lost", reason: `the consumer "${consumer.name}" was lost` }
      : { type: "left" };
    for (const run of runs) {
      // They keep their claims here until they are noted.
      this.#track(run, 1);
      this.#parts.redelivery.expect(run);
    }
    this.#departures.push({ runs, at: 0, event });
    this.departSome();
  }

  /** Works off some of what is left of consumers that have gone, and the rest later. */
  departSome(): void {
    this.#depart(departedRunsPerTurn, unwrittenRecordsMax);
    if (!this.isDeparting || this.#departing !== undefined) return;
    // While the database is behind, its progress leads here.
    if (this.#parts.writer.backlog >= unwrittenRecordsMax) return;
    this.#departing = setImmediate(() => {
      this.#departing = undefined;
      this.departSome();
    });
  }

  /** Works off all of it: the group closes. */
  departAll(): void {
    clearImmediate(this.#departing);
    this.#depart(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  #depart(runsMax: number, backlogMax: number): void {
    const { writer } = this.#parts;
    let runs = 0;
    for (let departure = this.#departures[0]; departure !== undefined; departure = this.#departures[0]) {
      for (; departure.at < departure.runs.length; departure.at++) {
        if (runs++ >= runsMax || writer.backlog >= backlogMax) return;
        const run = departure.runs[departure.at] as HeldRun;
        this.#track(run, -1);
        this.#conclude(run, run.claim.isLost ? { type: "claim-lost" } : departure.event, undefined);
      }
      this.#departures.shift();
    }
  }

  #track(run: HeldRun, sign: 1 | -1): void {
    const records = recordsIn(run) * sign;
    run.claim.outstanding += records;
    this.#parts.budget.count(records);
  }

  #apply(consumer: Consumer, said: Said[]): void {
    said.sort((one, other) => one.firstOffset - other.firstOffset);
    consumer.held.use(
      said,
      (run, asked) => this.#decide(consumer, run, asked),
      (first, next, { attempt }) => consumer.refuse(attempt, first, next),
    );
  }

  /** A consumer's word on what it has. Gives what it keeps. */
  #decide(consumer: Consumer, run: HeldRun, { verdict, event }: OnRecords): HeldRun | undefined {
    const { writer, ready, redelivery } = this.#parts;
    // What its consumer knows it by: a failure counts as another delivery from here on.
    const told: Told = { consumer, verdict, attempt: attemptOf(run) };
    run.state = step(run.state, event, this.#rulesFor(run));
    const { state } = run;
    switch (state.phase) {
      case "sending":
      case "outstanding":
        consumer.confirm(verdict, run.firstOffset, run.nextOffset);
        return run;
      case "settling":
        if (state.isNoted) writer.forgetRetries(run);
        ready.settled(run);
        writer.acknowledge(run, told);
        consumer.acknowledges();
        return undefined;
      case "noting":
        if (state.reason !== undefined) this.#parts.metrics.recordsFailed.inc(recordsIn(run));
        ready.failed(run, undefined);
        redelivery.expect(run);
        // Where no more records may be parked, a record that its consumer parks is rejected instead.
        writer.note(run, state, verdict === "parked" ? { ...told, verdict: "rejected" } : told);
        return undefined;
      case "parking":
        this.#park(run, state.reason, told);
        return undefined;
      case "unread":
      case "ready":
      case "waiting":
      case "fetching":
      case "gone":
        throw new Error(`Cannot take a verdict on a record that is ${state.phase}`);
      default:
        return state satisfies never;
    }
  }

  /** Applies an event that is no verdict. `late`: the consumer that let the deadline pass. */
  #conclude(run: HeldRun, event: RecordEvent, late: Consumer | undefined): void {
    const { writer, ready, redelivery, metrics } = this.#parts;
    run.state = step(run.state, event, this.#rulesFor(run));
    const { state } = run;
    if (state.phase === "noting") {
      if (state.reason !== undefined) metrics.recordsFailed.inc(recordsIn(run));
      ready.failed(run, late);
      redelivery.expect(run);
      writer.note(run, state, undefined);
    } else if (state.phase === "parking") this.#park(run, state.reason, undefined);
    else {
      redelivery.unexpect(run);
      ready.settled(run);
    }
  }

  #park(run: RecordRun, reason: string, told: Told | undefined): void {
    const { writer, redelivery, sharing, onPark } = this.#parts;
    const { claim, keyQueue, state } = run;
    onPark(recordsIn(run));
    redelivery.unexpect(run);
    for (let offset = run.firstOffset; offset < run.nextOffset; offset++) {
      const slot = sharing === "keyed" ? slotOf(keyQueue, offset) : 0;
      const record = { claim, firstOffset: offset, nextOffset: offset + 1, keyQueue, state };
      writer.park({ run: record, slot, reason, told });
    }
  }

  #rulesFor(run: RecordRun): FailureRules {
    const { attemptsMax, retryMinMs, retryMaxMs } = this.#parts.settings.policy;
    return { attemptsMax, retryMinMs, retryMaxMs, canPark: this.#parts.mayPark(recordsIn(run)) };
  }
}
