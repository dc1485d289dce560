import { clientError, type ClientError } from "../client-error.js";
import type { CommittedOutput, Output } from "./output.js";
import { reasonOf } from "./reason.js";

/** What is to become of records. */
export type Verdict =
  | { readonly kind: "acknowledge" }
  | { readonly kind: "reject"; readonly delayMs: number | undefined; readonly reason: string }
  | { readonly kind: "park"; readonly reason: string }
  | { readonly kind: "release" };

/** How to reject. */
export interface RejectOptions {
  /** When to try again, from now, in milliseconds. Default: as the subscription backs off. */
  readonly delayMs?: number | undefined;
  /** Why, for whoever finds it parked. What is beyond 1024 bytes is cut off. */
  readonly reason?: string | undefined;
}

/** The call that brought records, as far as they need it. */
export interface DeliveryCall {
  /** Empty: an ephemeral consumer's. */
  readonly subscription: string;
  /** What Commit takes. */
  readonly session: number;
  /** Says a verdict. They are not held any more. */
  settle(held: Held, verdict: Verdict): void;
  /** The same, and tells what the server confirmed. */
  settleAndTell<Word extends string>(held: Held, verdict: Verdict, word: Word): Promise<Word | "stale">;
  /** Asks for more time. `ms` undefined: as long as at first. */
  extend(held: Held, ms: number | undefined): void;
  /** A Commit has settled them. */
  forget(held: Held): void;
  commit(held: Held, append: readonly Output[]): Promise<readonly CommittedOutput[]>;
}

const acknowledged: Verdict = { kind: "acknowledge" };
const released: Verdict = { kind: "release" };

/**
 * Records in somebody's hands.
 *
 *   held ──a verdict──▶ settled
 *   held ──commit──▶ committing ──done──▶ settled
 *                    committing ──failed──▶ held
 *   held, committing ──deadline, lost call, delivered again──▶ lost
 */
type HeldState = "held" | "committing" | "settled" | "lost";

/** One record or one message of records that a consumer was handed, until it says what became of it. */
export abstract class Held {
  /** Which attempt at it this is, from 1. */
  readonly attempt: number;
  readonly #call: DeliveryCall;
  #state: HeldState = "held";
  /** By the clock of `performance.now()`. */
  deadlineAt: number;
  /** Why a commit failed: such records are never acknowledged by themselves, as what they led to was not written. */
  #commitFailure: { readonly error: unknown } | undefined;
  /** Whoever worked on it has left while it is being committed. */
  #isLeft = false;
  #controller: AbortController | undefined;

  constructor(call: DeliveryCall, attempt: number, deadlineAt: number) {
    this.#call = call;
    this.attempt = attempt;
    this.deadlineAt = deadlineAt;
  }

  /** How many records. */
  abstract get count(): number;
  /** Their offsets, as runs. */
  abstract eachRun(visit: (firstOffset: number, nextOffset: number) => void): void;

  get call(): DeliveryCall {
    return this.#call;
  }

  /** Aborts when its hold is over before it was settled: its deadline has passed, or its call was lost. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#state === "lost") this.#controller.abort(staleDelivery());
    return this.#controller.signal;
  }

  acknowledge(): Promise<"acknowledged" | "stale"> {
    return this.#say(acknowledged, "acknowledged");
  }

  reject({ delayMs, reason = "" }: RejectOptions = {}): Promise<"rejected" | "stale"> {
    return this.#say({ kind: "reject", delayMs, reason: reasonOf(reason) }, "rejected");
  }

  park(reason = ""): Promise<"parked" | "stale"> {
    return this.#say({ kind: "park", reason: reasonOf(reason) }, "parked");
  }

  release(): Promise<"released" | "stale"> {
    return this.#say(released, "released");
  }

  extend(ms?: number): void {
    if (this.#state === "held" || this.#state === "committing") this.#call.extend(this, ms);
  }

  async commit(append: readonly Output[]): Promise<readonly CommittedOutput[]> {
    return this.#call.commit(this, append);
  }

  /** A loop is done with it: it is acknowledged, if nothing was said. */
  finish(): void {
    if (this.#leave()) this.#settle(this.#commitFailure === undefined ? acknowledged : this.#failedCommit());
  }

  /** The work on it has failed: it is rejected, if nothing was said. */
  fail(error: unknown): void {
    if (this.#leave()) this.#settle({ kind: "reject", delayMs: undefined, reason: reasonOf(error) });
  }

  /** Nobody works on it: it is given back, if nothing was said. */
  giveBack(): void {
    if (this.#leave()) this.#settle(released);
  }

  /** It is somebody else's from here on. */
  lose(): void {
    if (this.#state === "settled") return;
    this.#state = "lost";
    this.#controller?.abort(staleDelivery());
  }

  /** Throws when it cannot be committed. */
  checkCommit(): void {
    if (this.#state === "lost") throw staleDelivery();
    if (this.#state !== "held") throw new Error(`Cannot commit a delivery that is ${this.#state} already`);
  }

  beginCommit(): void {
    this.checkCommit();
    this.#state = "committing";
  }

  /** Undefined: it was committed. */
  endCommit(failure: { readonly error: unknown } | undefined): void {
    if (this.#state !== "committing") return;
    if (failure === undefined) {
      this.#state = "settled";
      this.#call.forget(this);
      return;
    }
    this.#state = "held";
    this.#commitFailure = failure;
    if (this.#isLeft) this.#settle(this.#failedCommit());
  }

  /** Whether there is anything left to say. */
  #leave(): boolean {
    this.#isLeft = true;
    return this.#state === "held";
  }

  #failedCommit(): Verdict {
    return { kind: "reject", delayMs: undefined, reason: reasonOf(this.#commitFailure?.error) };
  }

  #settle(verdict: Verdict): void {
    this.#state = "settled";
    this.#call.settle(this, verdict);
  }

  /** The first verdict counts; what comes later is answered as the server would. */
  #say<Word extends string>(verdict: Verdict, word: Word): Promise<Word | "stale"> {
    if (this.#state !== "held") return Promise.resolve("stale");
    this.#state = "settled";
    return this.#call.settleAndTell(this, verdict, word);
  }
}

function staleDelivery(): ClientError {
  const text = "The record is not this consumer's any more: its deadline has passed, or its call was lost";
  return clientError("FAILED_PRECONDITION", text, { reason: "STALE_DELIVERY" });
}
