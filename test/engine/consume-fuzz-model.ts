/**
 * What consumers must see, as plain arrays: it knows what they were handed and what they said, and none of the code that it
 * judges. Where it cannot know (a verdict on its way when a node dies, a node that has not heard of a seek yet) a hold or a
 * state is unsure, and nothing is concluded from it.
 */

import type { OffsetRange, Sharing, Window } from "../../src/core/index.js";
import type { Confirmed, ConsumerRequest } from "../../src/engine/index.js";
import type { CheckName } from "./consume-fuzz-checks.js";

/** How long after a deadline it may be found out, and what follows from it be written. */
const sweepMs = 600;
const writeMs = 300;
/** How long a consumer that half-closed is heard for the reset of a cancel. */
const halfClosedMs = 100;

export interface ModelPolicy {
  readonly ackDeadlineMs: number;
  readonly attemptsMax: number;
  /** How long another node may not know of a seek, a pause or a trim. */
  readonly hearsayMs: number;
}

export type Told = keyof Confirmed;

/** How a hold ended, as far as it says something of the next delivery. */
type End = "acknowledged" | "failed" | "timeout" | "untaken" | "released" | "returned" | "unknown";

export interface ModelNode {
  readonly name: string;
  isAlive: boolean;
  /** Until then it may not have heard of the last seek. */
  unsureUntilMs: number;
  pausedAtMs: number | undefined;
}

export interface ModelConsumer {
  readonly id: number;
  readonly node: ModelNode;
  readonly isEager: boolean;
  readonly isSilent: boolean;
  readonly joinedMs: number;
  readonly holds: Map<number, Hold>;
  /** The windows of which one holds: the last one, once everything has settled. */
  windows: Window[];
  readonly said: Said[];
  /** Deliveries that it saw, for verdicts that come late. */
  readonly seen: { readonly offset: number; readonly attempt: number }[];
  /** Offsets that a Commit settled, or that are unsure for another reason: whatever is told of them. */
  readonly unsure: Set<number>;
  /** Offsets that its transport took too late: it is to be told that they are not its own. */
  readonly lapsed: Set<number>;
  readonly attempts: Map<number, number>;
  session: number;
  state: "open" | "half-closed" | "over";
  isStalled: boolean;
  isFenced: boolean;
}

export interface Hold {
  readonly consumer: ModelConsumer;
  readonly record: ModelRecord;
  readonly attempt: number;
  readonly bytes: number;
  readonly handedMs: number;
  /** Infinity: its transport has not taken it. */
  deadlineMs: number;
  isUnsure: boolean;
  /** Its consumer has half-closed, and gives it back: nobody is to blame. */
  isLeaving: boolean;
}

interface Said {
  readonly offset: number;
  /** 0: any. */
  readonly attempt: number;
  /** The attempt that its consumer had then; undefined: none that the model knows of. */
  readonly heldAttempt: number | undefined;
  readonly verdict: Told;
  expect: "done" | "stale" | "either";
  readonly why: CheckName;
  readonly generation: number;
  readonly atMs: number;
}

export interface ModelRecord {
  readonly offset: number;
  readonly key: string;
  readonly expiresMicros: number;
  state: "open" | "maybe" | "settled";
  /** Holds that have not ended, of which one at most is sure. */
  readonly holds: Set<Hold>;
  /** Since the last seek. */
  isDelivered: boolean;
  lastAttempt: number;
  lastEnd: End | undefined;
  lastEndMs: number;
  lastHolder: ModelConsumer | undefined;
  failures: { readonly node: ModelNode; readonly atMs: number }[];
  failuresPossible: number;
  /** Ever. */
  attemptsBefore: number;
  attemptHighest: number;
  failuresEver: number;
  wasParkedByWord: boolean;
  wasDeliveredBeforeTrim: boolean;
  parkedConfirmed: boolean;
  acknowledgements: number;
  /** Whether nothing but timeouts failed it, each while somebody else had nothing to do. */
  timedOutBesideIdle: number;
  failedOtherwise: boolean;
}

export interface Handed {
  readonly offset: number;
  readonly bytes: number;
}

export interface ModelParts {
  readonly sharing: Sharing;
  readonly policy: ModelPolicy;
  readonly nowMs: () => number;
  readonly wallMicros: () => number;
  readonly isOn: (check: CheckName) => boolean;
  readonly fault: (check: CheckName, message: string) => void;
}

export class ConsumeModel {
  readonly records: ModelRecord[] = [];
  readonly nodes: ModelNode[] = [];
  readonly consumers: ModelConsumer[] = [];
  /** Below it nothing is delivered, since a seek went past it. */
  floor = 0;
  generation = 0;
  readonly trims: { readonly before: number; readonly by: ModelNode; readonly atMs: number; isAnswered: boolean }[] =
    [];
  readonly skipped: OffsetRange[] = [];
  readonly #parts: ModelParts;

  constructor(parts: ModelParts) {
    this.#parts = parts;
  }

  get #nowMs(): number {
    return this.#parts.nowMs();
  }

  addNode(name: string): ModelNode {
    const node: ModelNode = { name, isAlive: true, unsureUntilMs: -1, pausedAtMs: undefined };
    this.nodes.push(node);
    return node;
  }

  addConsumer(node: ModelNode, window: Window, mode: "eager" | "silent" | "manual"): ModelConsumer {
    const consumer: ModelConsumer = {
      id: this.consumers.length + 1,
      node,
      isEager: mode === "eager",
      isSilent: mode === "silent",
      joinedMs: this.#nowMs,
      holds: new Map(),
      windows: [window],
      said: [],
      seen: [],
      unsure: new Set(),
      lapsed: new Set(),
      attempts: new Map(),
      session: 0,
      state: "open",
      isStalled: false,
      isFenced: false,
    };
    this.consumers.push(consumer);
    return consumer;
  }

  appended(records: readonly { readonly key: string; readonly lifetimeMs: number }[]): void {
    for (const { key, lifetimeMs } of records) {
      this.records.push({
        offset: this.records.length,
        key,
        expiresMicros: this.#parts.wallMicros() + lifetimeMs * 1000,
        state: "open",
        holds: new Set(),
        isDelivered: false,
        lastAttempt: 0,
        lastEnd: undefined,
        lastEndMs: 0,
        lastHolder: undefined,
        failures: [],
        failuresPossible: 0,
        attemptsBefore: 0,
        attemptHighest: 0,
        failuresEver: 0,
        wasParkedByWord: false,
        wasDeliveredBeforeTrim: false,
        parkedConfirmed: false,
        acknowledgements: 0,
        timedOutBesideIdle: 0,
        failedOtherwise: false,
      });
    }
  }

  /** An action and all that followed from it has settled. */
  settled(): void {
    for (const consumer of this.consumers) consumer.windows = consumer.windows.slice(-1);
    this.expire();
  }

  /** Time has moved: what was held for too long is not held any more. */
  expire(): void {
    const nowMs = this.#nowMs;
    for (const consumer of this.consumers) {
      if (consumer.state !== "open") continue;
      for (const hold of consumer.holds.values()) {
        const isTaken = hold.deadlineMs !== Infinity;
        const endsMs = isTaken ? hold.deadlineMs : hold.handedMs + this.#parts.policy.ackDeadlineMs;
        if (nowMs < endsMs + sweepMs) continue;
        if (!isTaken) consumer.lapsed.add(hold.record.offset);
        this.#end(hold, isTaken ? "timeout" : "untaken");
      }
    }
  }

  handed(consumer: ModelConsumer, records: readonly Handed[], attempt: number): void {
    for (const { offset, bytes } of records) {
      const record = this.records[offset];
      if (record === undefined) {
        this.#fault("told-unasked", `offset ${offset} was never published`);
        continue;
      }
      const isUnsure = consumer.node.unsureUntilMs >= this.#nowMs;
      if (!isUnsure) this.#endOver(record);
      if (!isUnsure) this.#checkDelivery(consumer, record, attempt);
      const hold: Hold = {
        consumer,
        record,
        attempt,
        bytes,
        handedMs: this.#nowMs,
        deadlineMs: Infinity,
        isUnsure: isUnsure || consumer.isFenced || consumer.state !== "open",
        isLeaving: false,
      };
      const before = consumer.holds.get(offset);
      if (before !== undefined) this.#end(before, "unknown");
      consumer.holds.set(offset, hold);
      record.holds.add(hold);
      consumer.unsure.delete(offset);
      record.attemptHighest = Math.max(record.attemptHighest, attempt);
      if (isUnsure) continue;
      consumer.lapsed.delete(offset);
      consumer.attempts.set(offset, attempt);
      // To whoever let it time out: that another one says nothing, either, is not known before.
      const isAgain = record.isDelivered && record.lastHolder === consumer;
      if (isAgain && this.#idleBeside(consumer, record) && consumer.isSilent) record.timedOutBesideIdle += 1;
      record.isDelivered = true;
      record.lastAttempt = attempt;
      record.state = "open";
    }
    this.#checkWindow(consumer);
  }

  /** A record is handed out anew: what could have ended has ended. */
  #endOver(record: ModelRecord): void {
    for (const hold of record.holds) {
      if (this.#isSure(hold)) continue;
      const isTaken = hold.deadlineMs !== Infinity;
      if (hold.isUnsure) this.#end(hold, "unknown");
      else if (isTaken) this.#end(hold, "timeout");
      else {
        hold.consumer.lapsed.add(record.offset);
        this.#end(hold, "untaken");
      }
    }
  }

  taken(consumer: ModelConsumer, records: readonly Handed[], attempt: number): void {
    for (const { offset } of records) {
      consumer.seen.push({ offset, attempt });
      const hold = consumer.holds.get(offset);
      if (hold === undefined || hold.attempt !== attempt) continue;
      // Between the deadline and the next look at it either may be.
      if (this.#nowMs >= hold.handedMs + this.#parts.policy.ackDeadlineMs) hold.isUnsure = true;
      if (hold.deadlineMs === Infinity) hold.deadlineMs = this.#nowMs + this.#parts.policy.ackDeadlineMs;
    }
  }

  #checkDelivery(consumer: ModelConsumer, record: ModelRecord, attempt: number): void {
    const { offset, key } = record;
    const { sharing, policy } = this.#parts;
    const nowMs = this.#nowMs;
    const what = `offset ${offset} to ${nameOf(consumer)} at attempt ${attempt}`;
    if (record.state === "settled") this.#fault("settled-again", what);
    if (offset < this.floor) this.#fault("settled-again", `${what}, below the cursor ${this.floor}`);
    for (const hold of record.holds) {
      if (this.#isSure(hold)) this.#fault("outstanding-twice", `${what}, which ${nameOf(hold.consumer)} has`);
    }
    const known = this.trims.filter(
      ({ by, atMs, isAnswered }) => (by === consumer.node && isAnswered) || atMs + policy.hearsayMs < nowMs,
    );
    if (known.some(({ before }) => offset < before)) this.#fault("trimmed-delivered", what);
    if (this.#parts.wallMicros() > record.expiresMicros) this.#fault("expired-delivered", what);
    const { pausedAtMs } = consumer.node;
    if (pausedAtMs !== undefined && nowMs > pausedAtMs) this.#fault("paused-delivers", what);
    if (attempt < (consumer.attempts.get(offset) ?? 0) || attempt < record.lastAttempt) {
      this.#fault(
        "attempt-goes-down",
        `${what}, after ${Math.max(record.lastAttempt, consumer.attempts.get(offset) ?? 0)}`,
      );
    }
    if (attempt <= record.attemptsBefore) {
      this.#fault("seek-attempt-reused", `${what}, which was used before the seek: up to ${record.attemptsBefore}`);
    }
    const isCounted = record.isDelivered && record.lastEnd !== "unknown";
    if (isCounted && attempt > record.lastAttempt + 1)
      this.#fault("attempt-jumps", `${what}, after ${record.lastAttempt}`);
    if (isCounted && record.lastEnd === "released" && attempt !== record.lastAttempt) {
      this.#fault("release-keeps-attempt", `${what}, which was released at attempt ${record.lastAttempt}`);
    }
    const failures = record.failures.length;
    if (failures >= policy.attemptsMax) this.#fault("failures-bounded", `${what}, after ${failures} failures`);
    if (sharing === "keyed" && key !== "") this.#checkKey(consumer, record, what);
    if (sharing === "exclusive") this.#checkOrder(record, what);
  }

  #checkKey(consumer: ModelConsumer, record: ModelRecord, what: string): void {
    for (const other of this.records) {
      if (other.key !== record.key || other === record) continue;
      for (const hold of other.holds) {
        if (!this.#isSure(hold)) continue;
        this.#fault("key-twice", `${what}, while ${nameOf(hold.consumer)} has ${other.offset} of key ${record.key}`);
      }
      if (other.offset < record.offset && this.#isOpen(other) && other.failuresPossible === 0) {
        this.#fault("key-order", `${what}, before ${other.offset} of key ${record.key}`);
      }
    }
    if (record.lastEnd === "timeout" && record.lastHolder === consumer && this.#idleBeside(consumer, record)) {
      this.#fault("keyed-timeout-moves", `${what}, which it had let time out`);
    }
  }

  #checkOrder(record: ModelRecord, what: string): void {
    if (record.isDelivered) return;
    for (const other of this.records) {
      if (other.offset >= record.offset || !this.#isOpen(other) || other.holds.size > 0) continue;
      if (!other.isDelivered) this.#fault("exclusive-order", `${what}, before ${other.offset}`);
      const isBack = other.lastEnd === "released" || other.lastEnd === "returned";
      if (isBack) this.#fault("exclusive-order", `${what}, before ${other.offset}, which was given back`);
    }
  }

  #checkWindow(consumer: ModelConsumer): void {
    const sure = [...consumer.holds.values()].filter((hold) => this.#isSure(hold));
    const recordsMax = Math.max(...consumer.windows.map(({ records }) => records));
    const bytesMax = Math.max(...consumer.windows.map(({ bytes }) => bytes));
    const bytes = sure.reduce((sum, hold) => sum + hold.bytes, 0);
    // A window that shrank is full, and nothing comes.
    const isNew = sure.some(({ handedMs }) => handedMs === this.#nowMs);
    if (!isNew) return;
    if (sure.length > recordsMax) {
      this.#fault("window-records", `${nameOf(consumer)} has ${sure.length} of ${recordsMax} records`);
    }
    if (bytes > bytesMax && (sure.length > 1 || bytesMax === 0)) {
      this.#fault("window-bytes", `${nameOf(consumer)} has ${bytes} of ${bytesMax} bytes in ${sure.length} records`);
    }
  }

  granted(consumer: ModelConsumer, window: Window): void {
    const asked = consumer.windows.at(-1) as Window;
    if (consumer.windows.some(({ records, bytes }) => window.records <= records && window.bytes <= bytes)) return;
    this.#fault(
      "window-granted",
      `${nameOf(consumer)} got ${JSON.stringify(window)}, asked for ${JSON.stringify(asked)}`,
    );
  }

  /** What a consumer says: notes what it has to be told, and what becomes of its records. */
  say(consumer: ModelConsumer, request: ConsumerRequest): void {
    if (request.window !== undefined) consumer.windows.push(request.window);
    const named = new Set<string>();
    const each = (
      verdict: Told,
      { firstOffset, nextOffset }: OffsetRange,
      attempt: number,
      done: (hold: Hold) => void,
    ): void => {
      for (let offset = firstOffset; offset < Math.min(nextOffset, this.records.length); offset++) {
        // Of an offset and attempt that are named twice, the first word counts.
        const name = `${offset}@${attempt}`;
        if (named.has(name)) continue;
        named.add(name);
        this.#sayOne(consumer, { verdict, offset, attempt }, done);
      }
    };
    for (const { range, attempt } of request.acknowledge) each("acknowledged", range, attempt, this.#acknowledged);
    if (request.acknowledgeThrough !== undefined) {
      for (const offset of consumer.holds.keys()) {
        if (offset > request.acknowledgeThrough) continue;
        this.#sayOne(consumer, { verdict: "acknowledged", offset, attempt: 0 }, this.#acknowledged);
      }
    }
    for (const { range, attempt } of request.reject)
      each("rejected", range, attempt, (hold) => this.#end(hold, "failed"));
    for (const { range, attempt, byMs } of request.extend) {
      each("extended", range, attempt, (hold) => {
        hold.deadlineMs = this.#nowMs + (byMs ?? this.#parts.policy.ackDeadlineMs);
      });
    }
    for (const { range, attempt } of request.park) {
      each("parked", range, attempt, (hold) => {
        hold.record.state = "maybe";
        hold.record.wasParkedByWord = true;
        this.#end(hold, "acknowledged");
      });
    }
    for (const { range, attempt } of request.release) {
      each("released", range, attempt, (hold) => this.#end(hold, "released"));
    }
  }

  readonly #acknowledged = (hold: Hold): void => {
    hold.record.state = "maybe";
    this.#end(hold, "acknowledged");
  };

  #sayOne(
    consumer: ModelConsumer,
    { verdict, offset, attempt }: { readonly verdict: Told; readonly offset: number; readonly attempt: number },
    done: (hold: Hold) => void,
  ): void {
    const hold = consumer.holds.get(offset);
    const note = (expect: Said["expect"], why: CheckName): void => {
      const isOff = expect === "stale" && !this.#parts.isOn(why);
      consumer.said.push({
        offset,
        attempt,
        heldAttempt: hold?.attempt,
        verdict,
        expect: isOff ? "either" : expect,
        why,
        generation: this.generation,
        atMs: this.#nowMs,
      });
    };
    const isPending = consumer.said.some((said) => said.offset === offset && said.expect === "either");
    const isNamed = hold !== undefined && (attempt === 0 || attempt === hold.attempt);
    if (hold !== undefined && this.#isSure(hold) && hold.deadlineMs !== Infinity) {
      if (isNamed) {
        note("done", "verdict-refused");
        done(hold);
      } else note("stale", "attempt-mismatch-stale");
      return;
    }
    const isOnTheWay = hold !== undefined && hold.deadlineMs === Infinity;
    if (
      hold !== undefined ||
      consumer.isFenced ||
      consumer.unsure.has(offset) ||
      isPending ||
      consumer.node.unsureUntilMs >= this.#nowMs
    ) {
      note("either", "told-unasked");
      // What is on its way may be meant, and then it is settled.
      if (hold !== undefined && (isNamed || isOnTheWay)) {
        hold.record.state = "maybe";
        this.#end(hold, "unknown");
      }
      // Its call may end before it is told.
      const named = this.records[offset];
      if (named !== undefined) named.wasParkedByWord ||= verdict === "parked";
      consumer.unsure.add(offset);
      return;
    }
    if (consumer.lapsed.has(offset)) note("stale", "stalled-told-stale");
    else note("stale", (this.records[offset]?.attemptsBefore ?? 0) > 0 ? "seek-stale" : "not-held-stale");
    // Switched off, it may do what it says.
    if (consumer.said.at(-1)?.expect === "either") {
      const record = this.records[offset] as ModelRecord;
      record.state = "maybe";
      record.wasParkedByWord ||= verdict === "parked";
      record.failuresEver += 1;
      record.failuresPossible += 1;
      record.lastEnd = "unknown";
    }
  }

  /** What a consumer is told of its verdicts. */
  told(consumer: ModelConsumer, confirmed: Confirmed): void {
    const { stale, ...taken } = confirmed;
    const each = (told: Told, { firstOffset, nextOffset }: OffsetRange, attempt: number): void => {
      for (let offset = firstOffset; offset < Math.min(nextOffset, this.records.length); offset++) {
        this.#toldOne(consumer, told, offset, attempt);
      }
    };
    for (const [told, ranges] of Object.entries(taken) as [Told, readonly OffsetRange[]][]) {
      for (const range of ranges) each(told, range, 0);
    }
    for (const { range, attempt } of stale) each("stale", range, attempt);
  }

  #toldOne(consumer: ModelConsumer, told: Told, offset: number, attempt: number): void {
    const record = this.records[offset] as ModelRecord;
    record.wasParkedByWord ||= told === "parked";
    const isMeant = (said: Said): boolean =>
      told === "stale"
        ? said.attempt === attempt || (said.attempt === 0 && said.heldAttempt === attempt)
        : said.verdict === told;
    const matching = consumer.said.filter((said) => said.offset === offset && isMeant(said));
    const order = told === "stale" ? ["stale", "either", "done"] : ["done", "either", "stale"];
    const said = order.flatMap((expect) => matching.filter((each) => each.expect === expect))[0];
    const what = `${nameOf(consumer)} is told ${told} of offset ${offset}${told === "stale" ? ` at attempt ${attempt}` : ""}`;
    if (said === undefined) {
      if (told === "stale") consumer.lapsed.delete(offset);
      // Each extension has its answer, and what was said of the record meanwhile is forgotten with it.
      else if (!consumer.unsure.has(offset) && told !== "extended") this.#fault("told-unasked", what);
      return;
    }
    // Ranges are told once, however often they were said.
    for (const each of matching) {
      if (each.expect === said.expect && (told === "stale" || each.verdict === said.verdict))
        consumer.said.splice(consumer.said.indexOf(each), 1);
    }
    if (told === "stale") {
      consumer.lapsed.delete(offset);
      if (said.expect === "done") this.#fault("verdict-refused", `${what}, which it had`);
      return;
    }
    if (said.expect === "stale") {
      this.#fault(said.why, what);
      return;
    }
    if (said.generation !== this.generation) return;
    if (told === "acknowledged" || told === "parked") {
      // A later delivery that was handed out since would be a fault, and is found there.
      if (told === "acknowledged" && record.state !== "settled") record.acknowledgements += 1;
      record.state = "settled";
      record.parkedConfirmed ||= told === "parked";
    }
  }

  /** A consumer's call is over. Not `isLost`: it gave back what it had. */
  left(consumer: ModelConsumer, isLost: boolean): void {
    if (consumer.state === "over") return;
    consumer.state = "over";
    for (const hold of consumer.holds.values()) {
      const isTaken = hold.deadlineMs !== Infinity;
      this.#end(hold, isLost && isTaken ? "failed" : "returned");
    }
    // What it said and was not told may be written or not.
    for (const { offset, expect } of consumer.said) {
      const record = this.records[offset];
      if (record?.state === "maybe" && expect !== "stale") record.lastEnd = "unknown";
    }
  }

  /** A newer consumer of an EXCLUSIVE subscription is there: the others hear of it sooner or later. */
  fenced(): void {
    for (const consumer of this.consumers) {
      for (const hold of consumer.holds.values()) hold.isUnsure = true;
      for (const said of consumer.said) if (said.expect === "done") said.expect = "either";
      consumer.isFenced = true;
    }
  }

  halfClosed(consumer: ModelConsumer): void {
    consumer.state = "half-closed";
    for (const hold of consumer.holds.values()) {
      // It is heard for a moment more: a deadline in it may still count.
      if (hold.deadlineMs <= this.#nowMs + halfClosedMs) {
        hold.record.failuresEver += 1;
        hold.record.failuresPossible += 1;
      }
      hold.isLeaving = !hold.isUnsure;
      hold.isUnsure = true;
    }
  }

  killed(node: ModelNode): void {
    node.isAlive = false;
    const nowMs = this.#nowMs;
    for (const consumer of this.consumers) {
      if (consumer.node !== node || consumer.state === "over") continue;
      consumer.state = "over";
      for (const hold of consumer.holds.values()) {
        this.#drop(hold);
        hold.record.lastEnd = "unknown";
        hold.record.failuresEver += 1;
        hold.record.failuresPossible += 1;
      }
    }
    for (const record of this.records) {
      record.failures = record.failures.filter((failure) => failure.node !== node || failure.atMs + writeMs < nowMs);
      if (record.lastHolder?.node === node && record.lastEndMs + writeMs >= nowMs) record.lastEnd = "unknown";
    }
  }

  sought(by: ModelNode, offset: number): void {
    this.generation += 1;
    this.floor = offset;
    const nowMs = this.#nowMs;
    for (const node of this.nodes) {
      node.unsureUntilMs = node === by ? nowMs : nowMs + this.#parts.policy.hearsayMs;
    }
    for (const consumer of this.consumers) {
      for (const hold of consumer.holds.values()) {
        this.#drop(hold);
        // It may have timed out just before.
        hold.record.failuresEver += 1;
      }
      for (const said of consumer.said) if (said.expect === "done") said.expect = "either";
      consumer.lapsed.clear();
      consumer.attempts.clear();
    }
    for (const record of this.records) {
      record.attemptsBefore = record.attemptHighest;
      if (record.offset >= offset) record.state = "open";
      record.isDelivered = false;
      record.lastAttempt = 0;
      record.lastEnd = undefined;
      record.failures = [];
      record.failuresPossible = 0;
      record.timedOutBesideIdle = 0;
      record.failedOtherwise = false;
      record.acknowledgements = 0;
      record.parkedConfirmed = false;
    }
  }

  /** Whether a Commit of these has to succeed. */
  expectCommit(
    consumer: ModelConsumer,
    deliveries: readonly { readonly offset: number; readonly attempt: number }[],
  ): "done" | "stale" | "either" {
    let expect: "done" | "stale" | "either" = "done";
    for (const { offset, attempt } of deliveries) {
      const hold = consumer.holds.get(offset);
      const record = this.records[offset];
      if (record === undefined) return "either";
      const isQuiet = !consumer.said.some((said) => said.offset === offset) && !consumer.unsure.has(offset);
      const isOld = record.lastEndMs + writeMs < this.#nowMs && record.state !== "maybe";
      const isLate = this.nodes.some(({ unsureUntilMs }) => unsureUntilMs >= this.#nowMs);
      if (!isQuiet || isLate || (hold === undefined ? !isOld : !this.#isSure(hold))) return "either";
      if (hold === undefined || hold.attempt !== attempt) expect = "stale";
    }
    return expect;
  }

  /** A Commit of these is under way: deliveries may follow from it before it is answered. Gives how to take that back. */
  committing(consumer: ModelConsumer, offsets: readonly number[]): () => void {
    const held = offsets.flatMap((offset) => consumer.holds.get(offset) ?? []).filter(({ isUnsure }) => !isUnsure);
    const open = offsets.flatMap((offset) => this.records[offset] ?? []).filter(({ state }) => state === "open");
    for (const hold of held) hold.isUnsure = true;
    for (const record of open) record.state = "maybe";
    return () => {
      for (const hold of held) hold.isUnsure = false;
      for (const record of open) record.state = "open";
    };
  }

  committed(consumer: ModelConsumer, offsets: readonly number[]): void {
    for (const offset of offsets) {
      const record = this.records[offset] as ModelRecord;
      for (const hold of record.holds) {
        this.#drop(hold);
        hold.consumer.unsure.add(offset);
      }
      for (const each of this.consumers) {
        for (const said of each.said) if (said.offset === offset) said.expect = "either";
      }
      consumer.unsure.add(offset);
      if (record.state !== "settled") record.acknowledgements += 1;
      record.state = "settled";
    }
  }

  /** A trim is under way on a node. Gives what to call once it is answered. */
  trimming(by: ModelNode, before: number): () => void {
    const trim = { before, by, atMs: this.#nowMs, isAnswered: false };
    this.trims.push(trim);
    for (const record of this.records) if (record.offset < before) record.wasDeliveredBeforeTrim = record.isDelivered;
    return () => (trim.isAnswered = true);
  }

  isGone({ offset, expiresMicros }: ModelRecord): boolean {
    return this.trims.some(({ before }) => offset < before) || this.#parts.wallMicros() >= expiresMicros;
  }

  #isOpen(record: ModelRecord): boolean {
    return (
      record.state === "open" &&
      record.offset >= this.floor &&
      record.lastEnd !== "unknown" &&
      record.failuresPossible < this.#parts.policy.attemptsMax &&
      !this.isGone(record)
    );
  }

  #isSure(hold: Hold): boolean {
    const { consumer } = hold;
    const isTaken = hold.deadlineMs !== Infinity;
    const untilMs = isTaken ? hold.deadlineMs : hold.handedMs + this.#parts.policy.ackDeadlineMs;
    return !hold.isUnsure && consumer.state === "open" && consumer.node.isAlive && this.#nowMs < untilMs;
  }

  /** Somebody else on the same node who has had nothing to do since this record was let go. */
  #idleBeside(consumer: ModelConsumer, record: ModelRecord): boolean {
    return this.consumers.some(
      (other) =>
        other !== consumer &&
        other.node === consumer.node &&
        other.isEager &&
        other.state === "open" &&
        !other.isStalled &&
        other.holds.size === 0 &&
        other.joinedMs < record.lastEndMs &&
        other.windows.every(({ records, bytes }) => records > 0 && bytes > 0),
    );
  }

  #end(hold: Hold, end: End): void {
    const { record, consumer } = hold;
    const isGivenBack = hold.isLeaving && this.#nowMs < hold.deadlineMs && (end === "unknown" || end === "returned");
    this.#drop(hold);
    record.lastHolder = consumer;
    record.lastEndMs = this.#nowMs;
    if (isGivenBack) {
      record.lastEnd = "returned";
      return;
    }
    record.lastEnd = hold.isUnsure && end !== "acknowledged" ? "unknown" : end;
    const isFailure = end === "failed" || end === "timeout";
    if (isFailure || hold.isUnsure || end === "unknown") {
      record.failuresEver += 1;
      record.failuresPossible += 1;
      if (record.failuresPossible >= this.#parts.policy.attemptsMax) record.state = "maybe";
      if (end !== "timeout" || !consumer.isSilent) record.failedOtherwise = true;
    }
    if (isFailure && !hold.isUnsure) record.failures.push({ node: consumer.node, atMs: this.#nowMs });
  }

  #drop(hold: Hold): void {
    hold.record.holds.delete(hold);
    if (hold.consumer.holds.get(hold.record.offset) === hold) hold.consumer.holds.delete(hold.record.offset);
  }

  #fault(check: CheckName, message: string): void {
    this.#parts.fault(check, message);
  }
}

export function nameOf({ id, node }: ModelConsumer): string {
  return `c${id}@${node.name}`;
}
