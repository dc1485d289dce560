/**
 * What becomes of records that consumers have: by their verdicts, or without one when a deadline passes or a consumer goes.
 * Each is an event in the life of a record (`record-life.ts`). Here the event is applied, and the new state is acted on.
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

/** How many runs of gone consumers are handled in one turn of the event loop, so that others are served in between. */
const departedRunsPerTurn = 1000;
/** Runs of gone consumers wait while this many records are not written yet. */
const unwrittenRecordsMax = 10_000;

/** Bounds the parked records of a subscription. */
export interface Parking {
  /** Whether this many more records may be parked. */
  readonly mayPark: (records: number) => boolean;
  /** This many more records are to be parked. */
  readonly onPark: (records: number) => void;
}

export interface VerdictsParts extends Parking {
  readonly sharing: Sharing;
  readonly settings: Readonly<DeliverySettings>;
  readonly ready: ReadyRecords;
  readonly redelivery: Redelivery;
  readonly writer: SettleWriter;
  readonly budget: OutstandingBudget;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** A verdict on some records, and the event that it is in their lives. */
interface OnRecords {
  readonly verdict: Verdict;
  readonly event: RecordEvent;
}

interface Said extends AskedRange, OnRecords {}

/** The records of a consumer that has gone. */
interface Departure {
  readonly runs: readonly HeldRun[];
  /** The index of the first run that was not handled. */
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

  /** Whether records of gone consumers are still to be handled. */
  get isDeparting(): boolean {
    return this.#departures.length > 0;
  }

  /** Hears the verdicts of a message. Where it names an offset and attempt twice, the first verdict counts. */
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

  /** Takes records off a consumer whose deadline has passed. */
  expire(consumer: Consumer, nowMs: number): void {
    let isLate = false;
    consumer.held.takeLate(nowMs, (run) => {
      isLate = true;
      const wasDelivered = run.state.phase === "outstanding";
      if (wasDelivered) consumer.wasLate(this.#parts.settings.policy.ackDeadlineMs);
      // Its consumer gets the message when it reads on, and would work on it in vain.
      else consumer.refuse(attemptOf(run), run.firstOffset, run.nextOffset);
      const reason = `attempt ${attemptOf(run)} by "${consumer.name}" was not acknowledged in time`;
      this.#conclude(run, { type: "deadline", reason }, consumer);
    });
    if (isLate) consumer.wake();
  }

  /** Takes all records off a consumer that goes. `wasLost`: those that were delivered count as failed. */
  takeAll(consumer: Consumer, wasLost: boolean): void {
    const runs = consumer.held.takeAll();
    if (runs.length === 0) return;
    const event: RecordEvent = wasLost
      ? { type: "lost", reason: `the consumer "${consumer.name}" was lost` }
      : { type: "left" };
    for (const run of runs) {
      // Outstanding records keep their claims on this node: so they count as such until they are noted.
      this.#track(run, 1);
      this.#parts.redelivery.expect(run);
    }
    this.#departures.push({ runs, at: 0, event });
    this.departSome();
  }

  /** Handles some records of gone consumers now, and the rest later. */
  departSome(): void {
    this.#depart(departedRunsPerTurn, unwrittenRecordsMax);
    if (!this.isDeparting || this.#departing !== undefined) return;
    // While the database is behind, this is called again after its next write.
    if (this.#parts.writer.backlog >= unwrittenRecordsMax) return;
    this.#departing = setImmediate(() => {
      this.#departing = undefined;
      this.departSome();
    });
  }

  /** Handles all of them at once: the group closes. */
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

  /** Applies a verdict to a run that the consumer has; gives the run where it keeps it. */
  #decide(consumer: Consumer, run: HeldRun, { verdict, event }: OnRecords): HeldRun | undefined {
    const { writer, ready, redelivery } = this.#parts;
    // The attempt as its consumer knows it: from here on a failure counts as one more.
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
        // A record that its consumer parks is rejected where no more records may be parked.
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
