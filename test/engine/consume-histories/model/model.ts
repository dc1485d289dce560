/**
 * What consumers must receive. The model knows deliveries and requests, and none of the code that it checks. Where it
 * cannot know (a node dies before it writes a verdict, a node does not know of a seek yet), a hold or a state is
 * unsure, and no rule applies to it. The files beside it say what each event changes, and which rules it must keep.
 */

import type { OffsetRange, Sharing, Window } from "../../../../src/core/index.js";
import type { CheckName } from "../checks.js";
import type { ModelConsumer, ModelNode, ModelPolicy, ModelRecord, Trim } from "./facts.js";

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
  /** Nothing below it is delivered, since a seek skipped it. */
  floor = 0;
  generation = 0;
  readonly trims: Trim[] = [];
  readonly skipped: OffsetRange[] = [];
  readonly sharing: Sharing;
  readonly policy: ModelPolicy;
  readonly isOn: (check: CheckName) => boolean;
  /** Reports a broken rule. */
  readonly fault: (check: CheckName, message: string) => void;
  readonly #parts: ModelParts;

  constructor(parts: ModelParts) {
    this.sharing = parts.sharing;
    this.policy = parts.policy;
    this.isOn = parts.isOn;
    this.fault = parts.fault;
    this.#parts = parts;
  }

  get nowMs(): number {
    return this.#parts.nowMs();
  }

  get wallMicros(): number {
    return this.#parts.wallMicros();
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
      joinedMs: this.nowMs,
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
        expiresMicros: this.wallMicros + lifetimeMs * 1000,
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
        acknowledgements: 0,
        timedOutBesideIdle: 0,
        failedOtherwise: false,
      });
    }
  }
}
