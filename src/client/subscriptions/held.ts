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

export interface RejectOptions {
  /** The wait before the redelivery, in milliseconds. Default: the subscription's backoff. */
  readonly delayMs?: number | undefined;
  /** Stored with the record when it is parked. It is cut after 1024 bytes. */
  readonly reason?: string | undefined;
}

/** What deliveries need of the call that delivered them. */
export interface DeliveryCall {
  /** Empty for an ephemeral consumer. */
  readonly subscription: string;
  /** The session that a Commit names. */
  readonly session: number;
  /** `held` is no longer in hand. Sends the verdict, if there is one. */
  leave(held: Held, verdict: Verdict | undefined): void;
  /** Waits for the confirmation of the verdict that was given to `leave`. */
  confirmation<Word extends string>(held: Held, word: Word): Promise<Word | "stale">;
  /** Extends the deadline. `ms` undefined: by the subscription's deadline. */
  extend(held: Held, ms: number | undefined): void;
  commit(held: Held, append: readonly Output[]): Promise<readonly CommittedOutput[]>;
}

const handed = step(arrived, { type: "handed" });
const finished: DeliveryEvent = { type: "finished" };
const lost: DeliveryEvent = { type: "lost" };

/** One record, or the records of one message, in a consumer's hand. See delivery-life.ts. */
export abstract class Held {
  /** The number of this attempt, from 1. */
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

  /** Aborts when the delivery is lost before it was settled. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#state.phase === "lost") this.#controller.abort(staleDelivery());
    return this.#controller.signal;
  }

  acknowledge(): Promise<"acknowledged" | "stale"> {
    return this.#decide(acknowledge, "acknowledged");
  }

  reject({ delayMs, reason = "" }: RejectOptions = {}): Promise<"rejected" | "stale"> {
    return this.#decide({ kind: "reject", delayMs, reason: reasonOf(reason) }, "rejected");
  }

  park(reason = ""): Promise<"parked" | "stale"> {
    return this.#decide({ kind: "park", reason: reasonOf(reason) }, "parked");
  }

  release(): Promise<"released" | "stale"> {
    return this.#decide(release, "released");
  }

  extend(ms?: number): void {
    if (this.#isHeld) this.#call.extend(this, ms);
  }

  async commit(append: readonly Output[]): Promise<readonly CommittedOutput[]> {
    return this.#call.commit(this, append);
  }

  /** The loop or handler ended without an error: acknowledges it, unless it has a verdict. */
  finish(): void {
    this.#become(finished);
  }

  /** The work failed: rejects it, unless it has a verdict. */
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
    throw new Error(`Cannot commit a delivery that is already ${what}`);
  }

  beginCommit(): void {
    this.checkCommit();
    this.#become({ type: "commit" });
  }

  /** `failure` undefined: it was committed. */
  endCommit(failure: { readonly error: unknown } | undefined): void {
    this.#become(failure === undefined ? { type: "committed" } : { type: "commit-failed", error: failure.error });
  }

  get #isHeld(): boolean {
    const { phase } = this.#state;
    return phase !== "settled" && phase !== "committed" && phase !== "lost";
  }

  /** The only writer of the state; also tells the call. */
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

  /** The first verdict counts; a later one is answered "stale", as the server would. */
  #decide<Word extends string>(verdict: Verdict, word: Word): Promise<Word | "stale"> {
    const before = this.#state;
    this.#become({ type: "said", verdict });
    return this.#state === before ? Promise.resolve("stale") : this.#call.confirmation(this, word);
  }
}

function staleDelivery(): ClientError {
  const text = "This consumer no longer has the record: its deadline has passed, or its call was lost";
  return clientError("FAILED_PRECONDITION", text, { reason: "STALE_DELIVERY" });
}
