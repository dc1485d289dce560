/**
 * Checks the promises of one subscription against what its consumers sent and received. All times are as seen by clients: a
 * record is handed when a client read it, acknowledged when a client sent that, confirmed when a client read that. So what is
 * refused here was wrong on the wire too.
 *
 *   a record:  unseen ──handed──▶ held ──acknowledge──▶ acknowledged ──confirmed──▶ confirmed, never handed again
 *                                  │                         │
 *                       released, timed out, left            └──handed again: the acknowledgement was lost──▶ held
 */

import type { Sharing } from "../../src/core/index.js";

export type Verdict = "acknowledged" | "rejected" | "parked" | "extended" | "released" | "stale";

/** What happened. `call` names one Consume call: a consumer that reconnects has another one. */
export type HistoryEvent =
  | { readonly kind: "started"; readonly call: string }
  | {
      readonly kind: "handed";
      readonly call: string;
      /** The number of the message in the call. */
      readonly message: number;
      readonly offset: number;
      readonly attempt: number;
      readonly key: string;
      readonly text: string;
      /** The earliest time of its arrival: the client may have been busy, or have had no processor, since. */
      readonly sinceMs: number;
      /** The earliest time at which the client itself had it, before its handler. Default: `sinceMs`. */
      readonly keptSinceMs?: number;
    }
  | { readonly kind: "acknowledge" | "reject" | "release"; readonly call: string; readonly offset: number }
  | { readonly kind: "extend"; readonly call: string; readonly offset: number; readonly byMs: number }
  | { readonly kind: "confirmed"; readonly call: string; readonly offset: number; readonly verdict: Verdict }
  /** A call ended. `fenced`: the server said so. */
  | { readonly kind: "left"; readonly call: string; readonly how: "asked" | "lost" | "fenced" }
  /**
   * A process was killed: unconfirmed records may be redelivered, from an earlier point, and attempts may be forgotten.
   */
  | { readonly kind: "disrupted"; readonly what: string }
  /** The node of these calls is stopped: after its lease others may have their records. */
  | { readonly kind: "frozen"; readonly calls: readonly string[] }
  /** It runs again, and had time to notice: its calls are ordinary again. */
  | { readonly kind: "recovered"; readonly calls: readonly string[] };

export interface HistoryOptions {
  readonly sharing: Sharing;
  /** Each record's key, by offset; more may be added meanwhile. Texts are the offsets. */
  readonly keys: readonly string[];
  /** How long a record is surely exclusive: less than the deadline, since the server's clock starts first. */
  readonly holdMs: number;
  /** One node serves all: then a key stays with its consumer while no consumer comes or leaves. */
  readonly isOneNode: boolean;
  /**
   * The consumers use the client library: when they stop, they release records that no handler has seen. Default false.
   */
  readonly isOverClient?: boolean;
}

/** A broken promise, with the events that led to it. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

interface Hold {
  readonly call: string;
  untilMs: number;
}

interface RecordHistory {
  readonly events: string[];
  isAcknowledged: boolean;
  confirmedBy: string | undefined;
  attempt: number;
  /** Its last holder released it unbegun: the next delivery has the same attempt. */
  isReleased: boolean;
  /** The number of disruptions before it was last handed. */
  era: number;
  hold: Hold | undefined;
}

interface KeyHistory {
  readonly offsets: number[];
  /** All before this index of `offsets` are acknowledged. */
  settled: number;
  /** The highest one that was handed since the last disruption. */
  handed: number;
  era: number;
  /** The call that last received a record of it, and when. */
  call: string | undefined;
  atMs: number;
}

/** How long keys may still move after a consumer came or left. */
const spreadMs = 1000;

export class ConsumeHistory {
  readonly #options: HistoryOptions;
  readonly #records: RecordHistory[] = [];
  readonly #keys = new Map<string, KeyHistory>();
  readonly #live = new Set<string>();
  /** Calls on a stopped node, with their message that was on its way, once it arrived late. */
  readonly #frozen = new Map<string, number | undefined>();
  /** EXCLUSIVE: the time from which others have their records. */
  readonly #superseded = new Map<string, number>();
  readonly #disruptions: string[] = [];
  #knownKeys = 0;
  #era = 0;
  /** When a consumer last came or left, or a record was released, which may go to another consumer. */
  #movedMs = Number.NEGATIVE_INFINITY;
  #holder: string | undefined;
  #holderMs = 0;
  /** What calls last received, message by message. */
  readonly #recent: string[] = [];
  #lastMessage = "";
  /** EXCLUSIVE: the highest offset of a first attempt since the last disruption. */
  #highest = -1;
  #acknowledged = 0;
  readonly counts = { handed: 0, again: 0, stale: 0, late: 0, frozen: 0, confirmed: 0, fenced: 0 };

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** Records whose acknowledgement was sent after they were last handed, or that are confirmed. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** EXCLUSIVE: open calls whose records a newer call took over. */
  get supersededCalls(): readonly string[] {
    return [...this.#superseded.keys()].filter((call) => this.#live.has(call));
  }

  /** Takes an event at `atMs`, by a clock that never goes back. Throws `BrokenPromise`. */
  take(event: HistoryEvent, atMs: number): void {
    switch (event.kind) {
      case "started":
        this.#live.add(event.call);
        this.#noteCall(`${atMs.toFixed(0)} ${event.call} started`);
        this.#movedMs = atMs;
        return;
      case "handed":
        return this.#takeHanded(event, atMs);
      case "acknowledge":
        return this.#takeAcknowledge(event.call, event.offset, atMs);
      case "reject":
      case "release": {
        const record = this.#note(event.offset, atMs, `${event.kind} by ${event.call}`);
        if (event.kind === "release") {
          this.#movedMs = atMs;
          record.isReleased ||= record.hold === undefined || record.hold.call === event.call;
        }
        if (record.hold?.call === event.call) record.hold = undefined;
        return;
      }
      case "extend": {
        const record = this.#note(event.offset, atMs, `extend by ${event.call}`);
        if (record.hold?.call === event.call && atMs < record.hold.untilMs) record.hold.untilMs = atMs + event.byMs;
        return;
      }
      case "confirmed":
        return this.#takeConfirmed(event.call, event.offset, event.verdict, atMs);
      case "left":
        this.#noteCall(`${atMs.toFixed(0)} ${event.call} left: ${event.how}`);
        return this.#takeLeft(event.call, event.how, atMs);
      case "disrupted":
        this.#disrupt(event.what, atMs);
        return;
      case "frozen":
        this.#disrupt(`frozen: ${event.calls.join(", ")}`, atMs);
        for (const call of event.calls) {
          this.#frozen.set(call, undefined);
          this.counts.frozen += this.#drop(call);
        }
        return;
      case "recovered":
        this.#disrupt(`recovered: ${event.calls.join(", ")}`, atMs);
        for (const call of event.calls) this.#frozen.delete(call);
        return;
      default:
        return event satisfies never;
    }
  }

  /** Throws `BrokenPromise` unless every record was acknowledged. */
  end(): void {
    this.#options.keys.forEach((_, offset) => {
      if (!this.#recordOf(offset).isAcknowledged) throw this.#broken(offset, "was not acknowledged in the end");
    });
  }

  /** Up to `max` unacknowledged records with their histories, for a caller that waits in vain. */
  unsettled(max: number): readonly string[] {
    const found: string[] = [];
    for (let offset = 0; offset < this.#options.keys.length && found.length < max; offset++) {
      if (!this.#recordOf(offset).isAcknowledged) found.push(this.#told(offset));
    }
    return found;
  }

  #takeHanded(event: HistoryEvent & { kind: "handed" }, atMs: number): void {
    const { call, message, offset, attempt } = event;
    const record = this.#note(offset, atMs, `handed to ${call} in message ${message}, attempt ${attempt}`);
    this.counts.handed += 1;
    if (event.text !== `${offset}` || event.key !== this.#options.keys[offset]) {
      throw this.#broken(offset, `came as ${event.key}: ${event.text}`);
    }
    this.#noteMessage(event, atMs);
    // Messages of two connections at one time are read in any order: later events show which was first.
    const changedMs = this.#superseded.get(call) ?? (call === this.#holder ? -1 : this.#holderMs);
    if (
      this.#options.sharing === "exclusive" &&
      this.#holder !== undefined &&
      changedMs >= (event.keptSinceMs ?? event.sinceMs)
    ) {
      record.attempt ||= attempt;
      return;
    }
    const wrong = this.#wrongWith(event, record, atMs);
    if (this.#frozen.has(call)) {
      // One message that was on its way may arrive after the lease: it could not be recalled. A second one could.
      if (wrong === undefined) return;
      this.#frozen.set(call, this.#frozen.get(call) ?? message);
      this.counts.late += 1;
      if (this.#frozen.get(call) === message) return;
    }
    if (wrong !== undefined) throw this.#broken(offset, `was handed to ${call}, but ${wrong}`);
    if (record.attempt > 0) this.counts.again += 1;
    if (record.isAcknowledged) this.#acknowledged -= 1;
    record.isAcknowledged = false;
    // A released record is redelivered at its earlier attempt, before new records.
    if (attempt === 1 && !record.isReleased) this.#highest = Math.max(this.#highest, offset);
    record.attempt = attempt;
    record.isReleased = false;
    record.era = this.#era;
    record.hold = { call, untilMs: event.sinceMs + this.#options.holdMs };
    if (event.key === "" || this.#options.sharing !== "keyed") return;
    const key = this.#keyOf(event.key);
    key.handed = key.era === this.#era ? Math.max(key.handed, offset) : offset;
    key.era = this.#era;
    key.call = call;
    key.atMs = atMs;
    key.settled = Math.min(key.settled, key.offsets.indexOf(offset));
  }

  /** Why a record should not have been handed. */
  #wrongWith(event: HistoryEvent & { kind: "handed" }, record: RecordHistory, atMs: number): string | undefined {
    const { call, offset, attempt } = event;
    if (record.confirmedBy !== undefined) return `it had been confirmed to ${record.confirmedBy}`;
    if (this.#options.sharing === "exclusive") {
      const supersededMs = this.#superseded.get(call);
      if (supersededMs !== undefined) return `${this.#holder} had taken over from it at ${supersededMs.toFixed(0)}`;
      if (this.#holder !== undefined && this.#holder !== call) {
        this.#superseded.set(this.#holder, atMs);
        this.#drop(this.#holder);
      }
      if (this.#holder !== call) this.#holderMs = atMs;
      this.#holder = call;
      const mayBeBack = record.isReleased || this.#options.isOverClient === true;
      if (attempt === 1 && !mayBeBack && offset < this.#highest)
        return `${this.#highest} had been handed before, at a first attempt`;
    }
    const { hold } = record;
    if (hold !== undefined && atMs < hold.untilMs) return `${hold.call} has it`;
    const attemptMin = record.isReleased ? record.attempt : record.attempt + 1;
    if (record.era === this.#era && attempt < attemptMin) return `attempt ${record.attempt} had been before`;
    if (this.#options.sharing === "keyed" && event.key !== "") return this.#wrongWithKey(event, atMs);
    return undefined;
  }

  #wrongWithKey({ call, offset, key: name }: HistoryEvent & { kind: "handed" }, atMs: number): string | undefined {
    const key = this.#keyOf(name);
    if (key.era === this.#era && offset < key.handed) return `${key.handed} of its key had been handed before`;
    while (key.settled < key.offsets.length && this.#recordOf(key.offsets[key.settled]!).isAcknowledged)
      key.settled += 1;
    const open = key.offsets[key.settled];
    if (open !== undefined && open < offset) return `of its key, ${this.#told(open)}\n  was not acknowledged`;
    for (const other of key.offsets.slice(Math.max(0, key.settled))) {
      const hold = this.#records[other]?.hold;
      if (other !== offset && hold !== undefined && atMs < hold.untilMs) return `${hold.call} has ${other} of its key`;
    }
    const isMoved = key.call !== undefined && key.call !== call;
    if (isMoved && this.#options.isOneNode && this.#movedMs + spreadMs < key.atMs) {
      return `its key belongs to ${key.call}, and nobody came or went`;
    }
    return undefined;
  }

  #takeAcknowledge(call: string, offset: number, atMs: number): void {
    const record = this.#note(offset, atMs, `acknowledge by ${call}`);
    if (record.hold?.call === call) record.hold = undefined;
    if (!record.isAcknowledged) this.#acknowledged += 1;
    record.isAcknowledged = true;
  }

  #takeConfirmed(call: string, offset: number, verdict: Verdict, atMs: number): void {
    const record = this.#note(offset, atMs, `told ${verdict}: ${call}`);
    if (verdict === "stale") this.counts.stale += 1;
    if (verdict !== "acknowledged") return;
    if (record.confirmedBy !== undefined) {
      throw this.#broken(offset, `was confirmed to ${call}, and to ${record.confirmedBy} before`);
    }
    if (record.attempt === 0 && !this.#frozen.has(call)) throw this.#broken(offset, `was confirmed, but never handed`);
    record.confirmedBy = call;
    record.hold = undefined;
    this.counts.confirmed += 1;
    if (!record.isAcknowledged) this.#acknowledged += 1;
    record.isAcknowledged = true;
  }

  #takeLeft(call: string, how: "asked" | "lost" | "fenced", atMs: number): void {
    if (how === "fenced") this.counts.fenced += 1;
    if (how === "fenced" && this.#options.sharing !== "exclusive") throw this.#wrong(`${call} was fenced`);
    this.#live.delete(call);
    this.#movedMs = atMs;
    this.#drop(call);
  }

  /** Removes the records of a call. Returns how many it had. */
  #drop(call: string): number {
    let dropped = 0;
    for (const record of this.#records) {
      if (record?.hold?.call !== call) continue;
      record.hold = undefined;
      dropped += 1;
    }
    return dropped;
  }

  #disrupt(what: string, atMs: number): void {
    this.#disruptions.push(`${atMs.toFixed(0)} ${what}`);
    this.#era += 1;
    this.#movedMs = atMs;
    this.#highest = -1;
  }

  #recordOf(offset: number): RecordHistory {
    return (this.#records[offset] ??= {
      events: [],
      isAcknowledged: false,
      confirmedBy: undefined,
      attempt: 0,
      isReleased: false,
      era: -1,
      hold: undefined,
    });
  }

  #keyOf(name: string): KeyHistory {
    const { keys } = this.#options;
    for (; this.#knownKeys < keys.length; this.#knownKeys++) {
      const key = keys[this.#knownKeys]!;
      const history = this.#keys.get(key);
      if (history !== undefined) history.offsets.push(this.#knownKeys);
      else {
        const offsets = [this.#knownKeys];
        this.#keys.set(key, { offsets, settled: 0, handed: -1, era: -1, call: undefined, atMs: 0 });
      }
    }
    return this.#keys.get(name)!;
  }

  #note(offset: number, atMs: number, text: string): RecordHistory {
    const record = this.#recordOf(offset);
    record.events.push(`${atMs.toFixed(0)} ${text}`);
    return record;
  }

  #noteMessage({ call, message, offset, attempt }: HistoryEvent & { kind: "handed" }, atMs: number): void {
    if (this.#lastMessage === `${call} ${message}`) return;
    this.#lastMessage = `${call} ${message}`;
    this.#noteCall(`${atMs.toFixed(0)} ${call}, message ${message}: ${offset}, …, attempt ${attempt}`);
  }

  #noteCall(text: string): void {
    this.#recent.push(text);
    if (this.#recent.length > 60) this.#recent.splice(0, 30);
  }

  #told(offset: number): string {
    const { events } = this.#recordOf(offset);
    return `${offset} (key ${JSON.stringify(this.#options.keys[offset])}):\n    ${events.join("\n    ")}`;
  }

  #broken(offset: number, what: string): BrokenPromise {
    return this.#wrong(`Record ${offset} ${what}\n  ${this.#told(offset)}`);
  }

  #wrong(text: string): BrokenPromise {
    const { sharing } = this.#options;
    const disruptions = this.#disruptions.slice(-6).join("; ") || "none";
    const recent = this.#recent.slice(-30).join("\n    ");
    return new BrokenPromise(`${sharing}: ${text}\n  disruptions: ${disruptions}\n  calls:\n    ${recent}`);
  }
}
