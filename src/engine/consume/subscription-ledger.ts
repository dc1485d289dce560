/** The ledger of a subscription: its claims are rows in the database, which the session of the node holds. */

import type { OffsetFrame, SettleOutcome, CutBlock, StoredSubscription } from "../../store/index.js";
import type { DatabaseLanes } from "../database-lanes.js";
import type { NodeSession } from "./node-session.js";
import type { Ledger } from "./settling/ledger.js";

export interface SubscriptionLedgerParts {
  readonly lanes: DatabaseLanes;
  readonly session: NodeSession;
}

export class SubscriptionLedger implements Ledger {
  readonly subscriptionId: number;
  /** The session of the node when the group opened: it holds all claims of the group. */
  readonly session: number;
  /** A Seek raises it, and deletes all claims. */
  generation: number;
  /** Of this generation. */
  attemptsBefore: number;
  isAlone = false;
  readonly #parts: SubscriptionLedgerParts;

  constructor(parts: SubscriptionLedgerParts, { subscriptionId, generation, attemptsBefore }: StoredSubscription) {
    this.#parts = parts;
    this.subscriptionId = subscriptionId;
    this.session = parts.session.session;
    this.generation = generation;
    this.attemptsBefore = attemptsBefore;
  }

  get isHeld(): boolean {
    const { session } = this.#parts;
    return session.session === this.session && session.isHeld;
  }

  settle(write: Parameters<Ledger["settle"]>[0]): Promise<SettleOutcome> {
    const { subscriptionId, session } = this;
    return this.#parts.lanes.attempt("append", (store) => store.settle({ subscriptionId, session, ...write }));
  }

  readRetryFrames(offsets: readonly number[]): Promise<readonly OffsetFrame[]> {
    return this.#parts.lanes.run("live", (store) => store.readRetryFrames(this.subscriptionId, offsets));
  }

  async claimMore(count: number, fromOffset: number, untilOffset: number): Promise<CutBlock | undefined> {
    const { subscriptionId, session, generation } = this;
    const request = { subscriptionId, session, generation, count, fromOffset, untilOffset };
    const claimed = await this.#parts.lanes.run("live", (store) => store.claimBlock(request));
    // A Seek that this node heard of meanwhile has deleted it.
    return generation === this.generation ? claimed : undefined;
  }
}
