/** A running history: its nodes and consumers, its model, and what happened so far. */

import type { Sharing } from "../../../src/core/index.js";
import { type Random, seededRandom } from "../../support/soak.js";
import { type CheckName, HistoryFault } from "./checks.js";
import type { ModelConsumer, ModelNode } from "./model/facts.js";
import { settled } from "./model/holds.js";
import { ConsumeModel } from "./model/model.js";
import type { Plan } from "./plan.js";
import type { SimulatedCall } from "./simulation/call.js";
import { headPollMs, type SimulatedNode } from "./simulation/node.js";
import type { SimulatedDatabase } from "./simulation/simulated-database.js";

export const deliveryPolicy = { ackDeadlineMs: 3000, retryMinMs: 500, retryMaxMs: 2000, retryBacklog: 1000 };
/** How long a node may not know what another did. */
export const hearsayMs = headPollMs + 1500;

export interface HistoryOptions {
  readonly database: SimulatedDatabase;
  /** The name of its topic and its subscription. */
  readonly name: string;
  readonly sharing: Sharing;
  readonly plan: Plan;
  readonly isOn: (check: CheckName) => boolean;
  /** The nodes' wall clock alternates between ahead and behind by this much, from one action to the next. */
  readonly wallJumpMs?: number;
}

export interface Consumer {
  readonly model: ModelConsumer;
  readonly call: SimulatedCall;
}

export interface Node {
  readonly model: ModelNode;
  readonly real: SimulatedNode;
}

export class History {
  readonly options: HistoryOptions;
  readonly model: ConsumeModel;
  readonly nodes: Node[] = [];
  readonly consumers: Consumer[] = [];
  /** What happened, for people. */
  readonly log: string[] = [];
  /** Names the nodes' sessions. */
  readonly random: Random = seededRandom(1);
  deliveries = 0;
  isPaused = false;
  /** When the last consumer or node was lost. */
  lossMs = -1;
  #fault: HistoryFault | undefined;
  readonly #startedMs: number;
  readonly #background: Promise<unknown>[] = [];

  constructor(options: HistoryOptions) {
    this.options = options;
    const { clock } = options.database;
    this.#startedMs = clock.monotonicMs();
    this.model = new ConsumeModel({
      sharing: options.sharing,
      policy: { ackDeadlineMs: deliveryPolicy.ackDeadlineMs, attemptsMax: options.plan.attemptsMax, hearsayMs },
      nowMs: () => clock.monotonicMs(),
      wallMicros: () => clock.wallMicros(),
      isOn: options.isOn,
      fault: (check, message) => this.fail(check, message),
    });
  }

  get nowMs(): number {
    return this.options.database.clock.monotonicMs();
  }

  get alive(): readonly Node[] {
    return this.nodes.filter(({ real }) => real.isAlive);
  }

  get open(): readonly Consumer[] {
    return this.consumers.filter(({ model }) => model.state === "open");
  }

  /** The first broken rule. */
  get fault(): HistoryFault | undefined {
    return this.#fault;
  }

  /** One of the living nodes. */
  node(chance: number): Node {
    const { alive } = this;
    return alive[Math.floor(chance * alive.length)] as Node;
  }

  /** One of the open consumers for which `isMeant` is true. */
  pick(chance: number, isMeant: (model: ModelConsumer) => boolean = () => true): Consumer | undefined {
    const open = this.open.filter(({ model }) => isMeant(model));
    return open[Math.floor(chance * open.length)];
  }

  note(text: string): void {
    this.log.push(`${(this.nowMs - this.#startedMs).toFixed(0).padStart(7)} ${text}`);
  }

  fail(check: CheckName, message: string): void {
    if (!this.options.isOn(check) || this.#fault !== undefined) return;
    this.#fault = new HistoryFault(check, message);
    this.note(`FAULT ${this.#fault.message}`);
  }

  throwFault(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  /** Waits for the engine, and advances the time while it waits. */
  async until<T>(work: Promise<T>): Promise<T> {
    let isDone = false;
    const done = work.finally(() => (isDone = true));
    this.#background.push(done.catch(() => undefined));
    const { clock } = this.options.database;
    await clock.settle();
    for (let tries = 0; !isDone && tries < 1000; tries++) await clock.advance(10);
    if (!isDone) throw new Error("The engine does not answer");
    return done;
  }

  /** Advances the time in steps, so that the model checks as often as the engine does. */
  async pass(ms: number): Promise<void> {
    const { clock } = this.options.database;
    for (let left = Math.ceil(ms); left > 0 && this.#fault === undefined; left -= 250) {
      await clock.advance(Math.min(left, 250));
      settled(this.model);
    }
  }

  async close(): Promise<void> {
    for (const { call, model } of this.consumers) {
      const isOver = model.state === "over";
      model.state = "over";
      if (!isOver) call.cancel();
    }
    await this.options.database.clock.settle();
    for (const { real } of this.nodes) if (real.isAlive) await real.close();
    await Promise.allSettled(this.#background);
  }
}
