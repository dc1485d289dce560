import type { RangeSet } from "../../core/index.js";
import { clientError, type ClientError } from "../client-error.js";
import {
  arrived,
  type DeliveryEvent,
  type DeliveryState,
  release,
  step,
  type Verdict,
  acknowledge,
} from "./delivery-life.js";
import type { CommittedOutput, Output } from "./output.js";
import { reasonOf } from "./reason.js";

/** How to reject. */
export interface RejectOptions {
  /** When to try again, from now, in milliseconds. Default: as the subscription backs off. */
  readonly delayMs?: number | undefined;
  /** The reason that is kept with the record when it is parked. It is cut after 1024 bytes. */
  readonly reason?: string | undefined;
}

/** The call that delivered records, as far as they need it. */
export interface DeliveryCall {
  /** Empty: an ephemeral consumer's. */
  readonly subscription: string;
  /** What Commit takes. */
  readonly session: number;
  /** They are not in hand any more. `verdict` is to be sent; undefined: there is nothing to send. */
  leave(held: Held, verdict: Verdict | undefined): void;
  /** Waits for the confirmation of the verdict that they left with. */
  confirmation<Word extends string>(held: Held, word: Word): Promise<Word | "stale">;
  /** Asks for more time. `ms` undefined: the subscription's deadline. */
  extend(held: Held, ms: number | undefined): void;
  commit(held: Held, append: readonly Output[]): Promise<readonly CommittedOutput[]>;
}

const handed = step(arrived, { type: "handed" });
const finished: DeliveryEvent = { type: "finished" };
const lost: DeliveryEvent = { type: "lost" };

/** One record, or the records of one message, that a consumer was handed. See delivery-life.ts. */
export abstract class Held {
  /** Which attempt at it this is, from 1. */
  readonly attempt: number;
  readonly #call: DeliveryCall;
  #state: DeliveryState = handed;
  /** By the clock of the connection. */
  deadlineMs: number;
  #controller: AbortController | undefined;

  constructor(call: DeliveryCall, attempt: number, deadlineMs: number) {
    this.#call = call;
    this.attempt = attempt;
    this.deadlineMs = deadlineMs;
  }

  /** How many records. */
  abstract get count(): number;
  /** Adds their offsets to a set. */
  abstract addTo(offsets: RangeSet): void;
  /** Whether one of their offsets is in a set. */
  abstract isIn(offsets: RangeSet): boolean;

  get call(): DeliveryCall {
    return this.#call;
  }

  /** Aborts when it is lost before it was settled. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#state.phase === "lost") this.#controller.abort(staleDelivery());
    return this.#controller.signal;
  }

  acknowledge(): Promise<"acknowledged" | "stale"> {
    return this.#say(acknowledge, "acknowledged");
  }

  reject({ delayMs, reason = "" }: RejectOptions = {}): Promise<"rejected" | "stale"> {
    return this.#say({ kind: "reject", delayMs, reason: reasonOf(reason) }, "rejected");
  }

  park(reason = ""): Promise<"parked" | "stale"> {
    return this.#say({ kind: "park", reason: reasonOf(reason) }, "parked");
  }

  release(): Promise<"released" | "stale"> {
    return this.#say(release, "released");
  }

  extend(ms?: number): void {
    if (this.#isHeld) this.#call.extend(this, ms);
  }

  async commit(append: readonly Output[]): Promise<readonly CommittedOutput[]> {
    return this.#call.commit(this, append);
  }

  /** A loop or a handler is done with it: it is acknowledged, unless there was a verdict. */
  finish(): void {
    this.#become(finished);
  }

  /** The work on it has failed: it is rejected, unless there was a verdict. */
  fail(error: unknown): void {
    this.#become({ type: "failed", error });
  }

  lose(): void {
    this.#become(lost);
  }

  /** Throws when it cannot be committed. */
  checkCommit(): void {
    const { phase } = this.#state;
    if (phase === "lost") throw staleDelivery();
    if (phase === "in-hand" || phase === "uncommitted") return;
    const what = phase === "settled" || phase === "committed" ? "settled" : "committing";
    throw new Error(`Cannot commit a delivery that is ${what} already`);
  }

  beginCommit(): void {
    this.checkCommit();
    this.#become({ type: "commit" });
  }

  /** Undefined: it was committed. */
  endCommit(failure: { readonly error: unknown } | undefined): void {
    this.#become(failure === undefined ? { type: "committed" } : { type: "commit-failed", error: failure.error });
  }

  get #isHeld(): boolean {
    const { phase } = this.#state;
    return phase !== "settled" && phase !== "committed" && phase !== "lost";
  }

  /** The one writer of its state, with what follows. */
  #become(event: DeliveryEvent): void {
    const before = this.#state;
    const state = step(before, event);
    if (state === before) return;
    this.#state = state;
    switch (state.phase) {
      case "settled":
        this.#call.leave(this, state.verdict);
        return;
      case "committed":
        this.#call.leave(this, undefined);
        return;
      case "lost":
        this.#call.leave(this, undefined);
        this.#controller?.abort(staleDelivery());
        return;
      case "arrived":
      case "in-hand":
      case "uncommitted":
      case "committing":
      case "left":
        return;
      default:
        throw state satisfies never;
    }
  }

  /** The first verdict counts; a later one is answered as the server would. */
  #say<Word extends string>(verdict: Verdict, word: Word): Promise<Word | "stale"> {
    const before = this.#state;
    this.#become({ type: "said", verdict });
    return this.#state === before ? Promise.resolve("stale") : this.#call.confirmation(this, word);
  }
}

function staleDelivery(): ClientError {
  const text = "The record is not this consumer's any more: its deadline has passed, or its call was lost";
  return clientError("FAILED_PRECONDITION", text, { reason: "STALE_DELIVERY" });
}
