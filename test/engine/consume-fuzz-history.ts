/** One history: actions by chance on an engine or two, every delivery held against the model, and an end at which all is done. */

import { inspect } from "node:util";
import { defaultLimits, MillraceError, noRetention, type Sharing, type Window } from "../../src/core/index.js";
import type { ConsumeMessage, ConsumerRequest } from "../../src/engine/index.js";
import { AppendRequest, ReadResponse } from "../../src/gen/millrace/v1/record_service.js";
import { type RecordBatch, splitRequest } from "../../src/wire/index.js";
import { seededRandom } from "../support/soak.js";
import { type CheckName, HistoryFault } from "./consume-fuzz-checks.js";
import { ConsumeModel, type Handed, type ModelConsumer, type ModelNode, nameOf } from "./consume-fuzz-model.js";
import {
  type FuzzCall,
  type FuzzNode,
  headPollMs,
  openCall,
  openFuzzNode,
  type SimulatedDatabase,
} from "./consume-fuzz-node.js";
import type { Action } from "./consume-fuzz-plan.js";

const delivery = { ackDeadlineMs: 3000, retryMinMs: 500, retryMaxMs: 2000, retryBacklog: 1000 };
/** How long what one node did may be unknown to another. */
const hearsayMs = headPollMs + 1500;
/** How long a history may take to come to its end. */
const endMs = 60_000;
const stepMs = 1000;

export interface HistoryOptions {
  readonly database: SimulatedDatabase;
  /** Names its topic and its subscription. */
  readonly name: string;
  readonly sharing: Sharing;
  readonly plan: readonly Action[];
  /** What a node lets be outstanding. */
  readonly nodeRecords: number;
  readonly attemptsMax: number;
  readonly isOn: (check: CheckName) => boolean;
  /** The nodes' wall clock is so far ahead and so far behind by turns, from one action to the next. */
  readonly wallJumpMs?: number;
}

export interface HistoryResult {
  readonly fault: HistoryFault | undefined;
  /** What happened, for people. */
  readonly log: readonly string[];
  /** Deliveries, as a measure of what it covers. */
  readonly deliveries: number;
}

interface Consumer {
  readonly model: ModelConsumer;
  readonly call: FuzzCall;
}

interface Node {
  readonly model: ModelNode;
  readonly real: FuzzNode;
}

export async function runHistory(options: HistoryOptions): Promise<HistoryResult> {
  const history = new History(options);
  try {
    await history.run();
  } catch (error) {
    if (!(error instanceof HistoryFault))
      throw new Error(`${options.name} failed\n${history.log.join("\n")}`, { cause: error });
  }
  await history.close();
  return { fault: history.fault, log: history.log, deliveries: history.deliveries };
}

class History {
  readonly log: string[] = [];
  deliveries = 0;
  fault: HistoryFault | undefined;
  readonly #options: HistoryOptions;
  readonly #model: ConsumeModel;
  readonly #nodes: Node[] = [];
  readonly #consumers: Consumer[] = [];
  readonly #background: Promise<unknown>[] = [];
  #isPaused = false;
  #isEnding = false;
  #nodeCount = 0;
  /** When a consumer or a node went last. */
  #lossMs = -1;

  constructor(options: HistoryOptions) {
    this.#options = options;
    const { clock } = options.database;
    this.#startedMs = clock.monotonicMs();
    this.#model = new ConsumeModel({
      sharing: options.sharing,
      policy: { ackDeadlineMs: delivery.ackDeadlineMs, attemptsMax: options.attemptsMax, hearsayMs },
      nowMs: () => clock.monotonicMs(),
      wallMicros: () => clock.wallMicros(),
      isOn: options.isOn,
      fault: (check, message) => this.#fail(check, message),
    });
  }

  readonly #startedMs: number;
  readonly #random = seededRandom(1);

  async run(): Promise<void> {
    const { name, sharing, plan, database, attemptsMax, wallJumpMs } = this.#options;
    const first = await this.#openNode();
    await first.real.node.engine.topics.create({
      name,
      labels: new Map(),
      limits: { recordBytes: 0, batchRecords: 0, batchBytes: 0 },
      retention: noRetention,
      keyed: false,
    });
    const start = { at: "earliest" } as const;
    const policy = { ...delivery, attemptsMax };
    await first.real.node.engine.subscriptions.create({ name, topic: name, start, sharing, policy, labels: new Map() });
    let aheadMs = 0;
    for (const [index, action] of plan.entries()) {
      const nextMs = (index % 2 === 0 ? 1 : -1) * (wallJumpMs ?? 0);
      database.clock.jumpWall(nextMs - aheadMs);
      aheadMs = nextMs;
      await this.#act(action);
      await database.clock.settle();
      this.#model.settled();
      this.#throwFault();
    }
    await this.#end();
    database.clock.jumpWall(-aheadMs);
  }

  async close(): Promise<void> {
    for (const { call, model } of this.#consumers) {
      const isOver = model.state === "over";
      model.state = "over";
      if (!isOver) call.cancel();
    }
    await this.#options.database.clock.settle();
    for (const { real } of this.#nodes) if (real.isAlive) await real.close();
    await Promise.allSettled(this.#background);
  }

  async #act({ kind, chance }: Action): Promise<void> {
    const [a, b, c, d] = chance as readonly [number, number, number, number];
    switch (kind) {
      case "append":
        return this.#append(chance);
      case "advance":
        return this.#advance(a < 0.4 ? 1 + b * 60 : a < 0.85 ? 100 + b * 1500 : 2000 + b * 6000);
      case "join":
        return this.#join(a, b, c);
      case "say":
        return this.#say(a, b, c, d);
      case "say-late":
        return this.#sayLate(a, b, c, d);
      case "window": {
        const consumer = this.#pick(a);
        if (consumer !== undefined) this.#request(consumer, { window: windowOf(b, c) });
        return;
      }
      case "stall": {
        const consumer = this.#pick(a);
        if (consumer === undefined) return;
        consumer.model.isStalled = !consumer.model.isStalled;
        this.#note(`${nameOf(consumer.model)} ${consumer.model.isStalled ? "stalls" : "takes messages again"}`);
        if (consumer.model.isStalled) consumer.call.stall();
        else consumer.call.unstall();
        return;
      }
      case "cancel": {
        const consumer = this.#pick(a);
        if (consumer === undefined) return;
        this.#note(`${nameOf(consumer.model)} cancels`);
        this.#lossMs = this.#nowMs;
        this.#model.left(consumer.model, true);
        consumer.call.cancel();
        return;
      }
      case "half-close": {
        const consumer = this.#pick(a);
        if (consumer === undefined) return;
        this.#note(`${nameOf(consumer.model)} half-closes`);
        this.#lossMs = this.#nowMs;
        this.#model.halfClosed(consumer.model);
        consumer.call.halfClose();
        return;
      }
      case "seek":
        return this.#seek(a, b);
      case "pause":
        return this.#pause(a, !this.#isPaused);
      case "trim":
        return this.#trim(a, b);
      case "commit":
        return this.#commit(a, b, c, d);
      case "kill":
        return this.#kill(a);
      case "start":
        if (this.#alive.length < 2) await this.#openNode();
        return;
      default:
        kind satisfies never;
    }
  }

  async #append(chance: readonly number[]): Promise<void> {
    const [count = 0, on = 0, ...rest] = chance;
    const records = Array.from({ length: 1 + Math.floor(count * 6) }, (_, index) => {
      const drawn = rest[index % rest.length] ?? 0;
      const other = (drawn * 7919 + index * 0.37) % 1;
      return {
        key: other < 0.1 ? "" : `k${Math.floor(other * 40) % 5}`,
        size: drawn < 0.06 ? 400 : 1 + Math.floor(drawn * 100),
        lifetimeMs: (other * 13) % 1 < 0.12 ? 2000 + Math.floor(((other * 31) % 1) * 10) * 1000 : Infinity,
      };
    });
    const isLasting = this.#options.wallJumpMs !== undefined;
    const appended = records.map((record) => ({ ...record, lifetimeMs: isLasting ? Infinity : record.lifetimeMs }));
    this.#note(
      `append ${appended.map(({ key, lifetimeMs }) => `${key || "-"}${lifetimeMs < Infinity ? `/${lifetimeMs}` : ""}`).join(" ")}`,
    );
    this.#model.appended(appended);
    const { engine } = this.#node(on).real.node;
    await this.#until(
      engine.append({
        topic: this.#options.name,
        batch: batchOf(appended),
        expectedOffset: undefined,
        producer: undefined,
        epoch: 0,
      }),
    );
  }

  async #advance(ms: number): Promise<void> {
    const { clock } = this.#options.database;
    if (!this.#isEnding) this.#note(`advance ${Math.ceil(ms)}`);
    // In steps, so that the model looks as often as the engine does.
    for (let left = Math.ceil(ms); left > 0 && this.fault === undefined; left -= 250) {
      await clock.advance(Math.min(left, 250));
      this.#model.settled();
    }
  }

  async #join(on: number, size: number, mode: number): Promise<void> {
    if (this.#open.length >= 4) return;
    const how = mode < 0.45 ? "eager" : mode < 0.6 ? "silent" : "manual";
    this.#openConsumer(this.#node(on), windowOf(size, mode), how);
    await this.#options.database.clock.settle();
  }

  #openConsumer(node: Node, window: Window, how: "eager" | "silent" | "manual"): void {
    const { sharing, name } = this.#options;
    if (sharing === "exclusive") this.#model.fenced();
    const model = this.#model.addConsumer(node.model, window, how);
    this.#note(`${nameOf(model)} joins, ${how}, ${JSON.stringify(window)}`);
    if (sharing === "exclusive") this.#lossMs = this.#nowMs;
    const call = openCall(
      node.real,
      { subscription: name, consumer: `c${model.id}`, window },
      {
        handed: (message) => this.#handed(consumer, message),
        taken: (message) => this.#taken(consumer, message),
        ended: (error) => this.#ended(consumer, error),
      },
    );
    const consumer: Consumer = { model, call };
    this.#consumers.push(consumer);
  }

  #handed({ model }: Consumer, message: ConsumeMessage): void {
    if (model.state === "over") return;
    const { event } = message;
    if (event?.kind === "skipped") {
      this.#note(`${nameOf(model)} skips ${event.firstOffset} to ${event.nextOffset}`);
      this.#model.skipped.push(event);
    }
    if (event?.kind === "window-changed") this.#model.granted(model, event.window);
    const records = recordsIn(message);
    this.deliveries += records.length;
    if (records.length === 0) return;
    this.#note(
      `${nameOf(model)} is handed ${records.map(({ offset }) => offset).join(" ")} at attempt ${message.attempt}`,
    );
    this.#model.handed(model, records, message.attempt);
  }

  #taken(consumer: Consumer, message: ConsumeMessage): void {
    const { model } = consumer;
    if (model.state === "over") return;
    if (message.event?.kind === "started") model.session = message.event.session;
    if (message.confirmed !== undefined) {
      const told = Object.entries(message.confirmed).filter(([, ranges]) => ranges.length > 0);
      this.#note(
        `${nameOf(model)} is told ${told.map(([verdict, ranges]) => `${verdict} ${JSON.stringify(ranges)}`).join(", ")}`,
      );
      this.#model.told(model, message.confirmed);
    }
    const records = recordsIn(message);
    this.#model.taken(model, records, message.attempt);
    if (!model.isEager || records.length === 0 || model.state !== "open") return;
    const acknowledge = records.map(({ offset }) => ({ range: at(offset), attempt: message.attempt }));
    this.#request(consumer, { acknowledge });
  }

  #ended({ model }: Consumer, error: unknown): void {
    if (model.state === "over") return;
    const code = error instanceof MillraceError ? error.code : undefined;
    this.#note(`${nameOf(model)} ends: ${error === undefined ? "well" : (code ?? inspect(error))}`);
    const isMeant = error === undefined ? model.state === "half-closed" : code === "consumer-fenced";
    this.#model.left(model, false);
    if (!isMeant) this.#fail("call-fails", `${nameOf(model)}: ${inspect(error)}`);
  }

  #say(who: number, which: number, how: number, more: number): void {
    const consumer = this.#pick(who, ({ isSilent, isEager }) => !isSilent && !isEager);
    if (consumer === undefined) return;
    const holds = [...consumer.model.holds.values()].filter(({ deadlineMs }) => deadlineMs !== Infinity);
    const from = Math.floor(which * holds.length);
    const chosen = holds.slice(from, from + 1 + Math.floor(more * 4));
    const isMismatch = this.#options.isOn("attempt-mismatch-stale") && (more * 97) % 1 < 0.08;
    const verdicts = chosen.map(({ record, attempt }) => ({
      range: at(record.offset),
      attempt: isMismatch ? attempt + 1 : (more * 31) % 1 < 0.25 ? 0 : attempt,
    }));
    if (verdicts.length === 0) return this.#sayLate(who, which, how, more);
    const [first] = verdicts;
    if (first === undefined) return;
    if ((more * 53) % 1 < 0.07) verdicts.push(first);
    if ((more * 59) % 1 < 0.05)
      verdicts.push({ range: { firstOffset: first.range.firstOffset, nextOffset: 2 ** 40 }, attempt: 0 });
    this.#request(consumer, requestOf(how, verdicts));
  }

  /** A verdict on an earlier delivery, whatever has become of it. */
  #sayLate(who: number, which: number, how: number, more: number): void {
    const consumer = this.#pick(who, ({ isSilent }) => !isSilent);
    const { seen } = consumer?.model ?? { seen: [] };
    const delivery = seen[Math.floor(which * seen.length)];
    if (consumer === undefined || delivery === undefined) return;
    const current = consumer.model.holds.get(delivery.offset);
    if (current !== undefined && current.attempt !== delivery.attempt && !this.#options.isOn("attempt-mismatch-stale"))
      return;
    const attempt = (more * 31) % 1 < 0.2 ? 0 : delivery.attempt;
    this.#request(consumer, requestOf(how, [{ range: at(delivery.offset), attempt }]));
  }

  #request(consumer: Consumer, request: Partial<ConsumerRequest>): void {
    const whole: ConsumerRequest = {
      window: undefined,
      acknowledge: [],
      acknowledgeThrough: undefined,
      reject: [],
      extend: [],
      park: [],
      release: [],
      ...request,
    };
    this.#note(`${nameOf(consumer.model)} says ${JSON.stringify(request)}`);
    this.#model.say(consumer.model, whole);
    consumer.call.say(whole);
  }

  async #seek(on: number, where: number): Promise<void> {
    const { records } = this.#model;
    // More often back than forward.
    const end = records.length;
    const offset = where < 0.85 ? Math.floor((where / 0.85) * end) : end;
    const node = this.#node(on);
    this.#note(`seek to ${offset} on ${node.model.name}`);
    this.#lossMs = this.#nowMs;
    const earliest = Math.max(0, ...this.#model.trims.map(({ before }) => before));
    this.#model.sought(node.model, Math.max(offset, earliest));
    await this.#until(node.real.node.engine.subscriptions.seek(this.#options.name, { at: "offset", offset }));
  }

  async #pause(on: number, isPaused: boolean): Promise<void> {
    const node = this.#node(on);
    this.#note(`${isPaused ? "pause" : "resume"} on ${node.model.name}`);
    this.#isPaused = isPaused;
    for (const { model } of this.#nodes) model.pausedAtMs = undefined;
    await this.#until(node.real.node.engine.subscriptions.setPaused(this.#options.name, isPaused));
    await this.#options.database.clock.settle();
    if (!isPaused) return;
    for (const { model } of this.#nodes) {
      model.pausedAtMs = this.#nowMs + (model === node.model ? 0 : hearsayMs);
    }
  }

  async #trim(on: number, where: number): Promise<void> {
    const node = this.#node(on);
    const before = Math.floor(where * 0.7 * this.#model.records.length);
    if (this.#model.trims.some((trim) => trim.before >= before)) return;
    this.#note(`trim before ${before} on ${node.model.name}`);
    const answered = this.#model.trimming(node.model, before);
    await this.#until(node.real.node.engine.topics.trim(this.#options.name, before, 0));
    answered();
  }

  async #commit(who: number, on: number, which: number, more: number): Promise<void> {
    const consumer = this.#pick(who);
    if (consumer === undefined || consumer.model.session === 0) return;
    const { model } = consumer;
    const holds = [...model.holds.values()].filter(({ deadlineMs }) => deadlineMs !== Infinity);
    const from = Math.floor(which * holds.length);
    const deliveries = holds
      .slice(from, from + 1 + Math.floor(more * 3))
      .map(({ record, attempt }) => ({ offset: record.offset, attempt: attempt + ((more * 41) % 1 < 0.1 ? 1 : 0) }));
    if (deliveries.length === 0) return;
    const node = this.#node(on);
    const expect = this.#model.expectCommit(model, deliveries);
    const what = `${nameOf(model)} commits ${JSON.stringify(deliveries)} on ${node.model.name}`;
    const offsets = deliveries.map(({ offset }) => offset);
    const takeBack = this.#model.committing(model, offsets);
    let outcome = "done";
    try {
      await this.#until(
        node.real.node.engine.commit({
          subscription: this.#options.name,
          session: model.session,
          acknowledge: deliveries.map(({ offset, attempt }) => ({ range: at(offset), attempt })),
          append: [],
        }),
      );
      this.#model.committed(model, offsets);
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== "stale-delivery") throw error;
      outcome = "stale";
      takeBack();
    }
    this.#note(`${what}: ${outcome}`);
    const isTrimmed = this.#model.trims.some(({ before }) => offsets.some((offset) => offset < before));
    // Another node has the key of a record from the topic alone, and needs it to find the claim.
    const isUnknown = isTrimmed && this.#options.sharing === "keyed" && node.model !== model.node;
    if (expect === "done" && outcome === "stale" && !isUnknown) {
      this.#fail(isTrimmed ? "commit-trimmed-refused" : "commit-refused", what);
    }
    if (expect === "stale" && outcome === "done") this.#fail("commit-stale", what);
  }

  async #kill(which: number): Promise<void> {
    const node = this.#node(which);
    this.#note(`${node.model.name} dies`);
    this.#lossMs = this.#nowMs;
    const sessions = this.#model.consumers.filter((each) => each.node === node.model).map(({ session }) => session);
    this.#model.killed(node.model);
    await node.real.kill(new Set(sessions));
    if (this.#alive.length === 0) await this.#openNode();
  }

  async #openNode(): Promise<Node> {
    this.#nodeCount += 1;
    const name = `n${this.#nodeCount}`;
    this.#note(`${name} starts`);
    const real = await this.#until(
      openFuzzNode(this.#options.database, {
        name,
        random: this.#random,
        limits: { outstandingNodeRecords: this.#options.nodeRecords },
      }),
    );
    const node = { real, model: this.#model.addNode(name) };
    if (this.#isPaused) node.model.pausedAtMs = this.#nowMs;
    this.#nodes.push(node);
    return node;
  }

  /** Consumers come that acknowledge everything: the rest goes to them, and all is done. */
  async #end(): Promise<void> {
    const { sharing, name, database } = this.#options;
    this.#isEnding = true;
    this.#note("the end begins");
    if (this.#isPaused) await this.#pause(0, false);
    const wide = { records: 200, bytes: 1_000_000 };
    for (const [index, node] of this.#alive.entries()) {
      if (sharing !== "exclusive" || index === 0) this.#openConsumer(node, wide, "eager");
    }
    const { subscriptionId } = (await database.store.findSubscription(name)) ?? { subscriptionId: 0 };
    for (let leftMs = endMs; ; leftMs -= stepMs) {
      await this.#advance(stepMs);
      this.#throwFault();
      const progress = await database.store.readProgress(subscriptionId);
      if (progress === undefined) throw new Error("The subscription is gone");
      const isDone = progress.unsettled === 0 && progress.retries === 0 && progress.cursor >= progress.head.nextOffset;
      if (isDone || leftMs <= 0) {
        // Who takes messages again is told what became of those that it did not take in time.
        for (const { model, call } of this.#open) {
          if (!isDone) continue;
          model.isStalled = false;
          call.unstall();
        }
        await this.#advance(stepMs);
        this.#throwFault();
        await this.#checkEnd(
          progress.unsettled > 0,
          isDone,
          JSON.stringify({ ...progress, subscription: undefined, head: undefined, members: undefined }),
        );
        this.#throwFault();
        return;
      }
    }
  }

  async #checkEnd(isUnsettled: boolean, isDone: boolean, progress: string): Promise<void> {
    const { records, consumers, trims, skipped } = this.#model;
    const { name, attemptsMax } = this.#options;
    const { engine } = (this.#alive[0] as Node).real.node;
    const parked = new Set(
      (
        await this.#until(
          engine.subscriptions.listParked({ subscription: name, filter: undefined, from: 0, count: 1000 }),
        )
      ).records.map(({ offset }) => offset),
    );
    if (!isDone) {
      const isStuck = consumers.some((each) => each.isStalled && each.state === "open" && each.node.isAlive);
      this.#fail(isStuck && isUnsettled ? "stalled-goes-elsewhere" : "end-progress", progress);
    }
    for (const record of records) {
      const { offset, state, acknowledgements, wasParkedByWord, failuresEver } = record;
      const isParked = parked.has(offset);
      if (isParked && !wasParkedByWord && failuresEver < attemptsMax) {
        this.#fail("parked-without-cause", `offset ${offset}, after ${failuresEver} failures`);
      }
      const { timedOutBesideIdle, failedOtherwise } = record;
      if (isParked && !wasParkedByWord && !failedOtherwise && timedOutBesideIdle >= attemptsMax - 1) {
        this.#fail("silent-parks", `offset ${offset}`);
      }
      if (offset < this.#model.floor || isParked) continue;
      if (acknowledgements > 1)
        this.#fail("end-settled", `offset ${offset} was acknowledged ${acknowledgements} times`);
      if (isDone && state === "open" && !this.#model.isGone(record)) {
        this.#fail("end-settled", `offset ${offset} was not acknowledged, and is not outstanding`);
      }
      const trim = trims.find(({ before }) => offset < before);
      if (trim === undefined || state !== "open" || trim.atMs < this.#lossMs || record.expiresMicros < Infinity)
        continue;
      const isTold = skipped.some(({ firstOffset, nextOffset }) => firstOffset <= offset && offset < nextOffset);
      if (!isDone || isTold) continue;
      this.#fail(record.wasDeliveredBeforeTrim ? "trimmed-retry-skipped" : "trimmed-skipped", `offset ${offset}`);
    }
    for (const consumer of consumers) {
      if (consumer.state !== "open" || consumer.isStalled || !consumer.node.isAlive) continue;
      const untold = consumer.said.find(({ expect }) => expect !== "either");
      if (untold !== undefined) this.#fail("verdict-untold", `${nameOf(consumer)}: ${JSON.stringify(untold)}`);
      const [lapsed] = consumer.lapsed;
      if (lapsed !== undefined && consumer.seen.some(({ offset }) => offset === lapsed)) {
        this.#fail("stalled-told-stale", `${nameOf(consumer)} was not told that offset ${lapsed} is another's`);
      }
    }
  }

  /** Waits for what the engine does, and moves time where it waits for that. */
  async #until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => (isDone = true));
    this.#background.push(done.catch(() => undefined));
    const { clock } = this.#options.database;
    await clock.settle();
    for (let tries = 0; !isDone && tries < 1000; tries++) await clock.advance(10);
    if (!isDone) throw new Error("The engine does not answer");
    return done;
  }

  get #nowMs(): number {
    return this.#options.database.clock.monotonicMs();
  }

  get #alive(): readonly Node[] {
    return this.#nodes.filter(({ real }) => real.isAlive);
  }

  get #open(): readonly Consumer[] {
    return this.#consumers.filter(({ model }) => model.state === "open");
  }

  #node(chance: number): Node {
    const alive = this.#alive;
    return alive[Math.floor(chance * alive.length)] as Node;
  }

  #pick(chance: number, isMeant: (model: ModelConsumer) => boolean = () => true): Consumer | undefined {
    const open = this.#open.filter(({ model }) => isMeant(model));
    return open[Math.floor(chance * open.length)];
  }

  #note(text: string): void {
    this.log.push(`${(this.#nowMs - this.#startedMs).toFixed(0).padStart(7)} ${text}`);
  }

  #fail(check: CheckName, message: string): void {
    if (!this.#options.isOn(check) || this.fault !== undefined) return;
    this.fault = new HistoryFault(check, message);
    this.#note(`FAULT ${this.fault.message}`);
  }

  #throwFault(): void {
    if (this.fault !== undefined) throw this.fault;
  }
}

const at = (offset: number) => ({ firstOffset: offset, nextOffset: offset + 1 });

/** Narrow ones, of which many a record is larger. */
function windowOf(size: number, more: number): Window {
  if (size < 0.06) return { records: 0, bytes: 1_000_000 };
  if (size < 0.1) return { records: 10, bytes: 0 };
  return { records: 1 + Math.floor(size * 8), bytes: more < 0.5 ? 1_000_000 : 60 + Math.floor(more * 300) };
}

type Verdict = ConsumerRequest["acknowledge"][number];

function requestOf(how: number, verdicts: readonly Verdict[]): Partial<ConsumerRequest> {
  if (how < 0.35) return { acknowledge: verdicts };
  if (how < 0.42) return { acknowledgeThrough: verdicts[0]?.range.firstOffset ?? 0 };
  if (how < 0.55) return { reject: verdicts.map((each) => ({ ...each, delayMs: undefined, reason: "no" })) };
  if (how < 0.65) return { reject: verdicts.map((each) => ({ ...each, delayMs: how < 0.6 ? 0 : 1500, reason: "" })) };
  if (how < 0.72) return { park: verdicts.map((each) => ({ ...each, reason: "aside" })) };
  if (how < 0.84) return { extend: verdicts.map((each) => ({ ...each, byMs: how < 0.78 ? undefined : 6000 })) };
  return { release: verdicts };
}

function batchOf(
  records: readonly { readonly key: string; readonly size: number; readonly lifetimeMs: number }[],
): RecordBatch {
  const request = AppendRequest.encode({
    topic: "t",
    records: records.map(({ key, size, lifetimeMs }) => ({
      key,
      attributes: new Map<string, string>(),
      body: { $case: "data" as const, value: new Uint8Array(size) },
      location: undefined,
      lifetime: lifetimeMs === Infinity ? undefined : { seconds: lifetimeMs / 1000, nanos: 0 },
      eventTime: undefined,
      time: undefined,
      offset: undefined,
    })),
    expectedOffset: undefined,
    producer: undefined,
    epoch: 0,
  }).finish();
  return splitRequest(request, defaultLimits).batch;
}

/** The offsets of a message's records, with the bytes of each as they are counted: of its whole field. */
function recordsIn({ runs }: ConsumeMessage): Handed[] {
  return runs.flatMap((run) => {
    const { records } = ReadResponse.decode(run);
    let end = 0;
    return records.map(({ offset }) => {
      const start = end;
      let length = 0;
      let shift = 0;
      // The tag is one byte.
      for (end += 1; ; end += 1) {
        const byte = run[end] ?? 0;
        length += (byte & 0x7f) * 2 ** shift;
        shift += 7;
        if (byte < 0x80) break;
      }
      end += 1 + length;
      return { offset: offset ?? Number.NaN, bytes: end - start };
    });
  });
}
