/**
 * What the engine needs of a database, and what it may rely on. One implementation, `postgres/`, serves Postgres and PGlite;
 * one conformance suite (`test/store`) holds both against this contract. Its parts, each an interface of its own:
 * `TopicStore` (names, settings, heads), `LogStore` (appends and pages), `StateStore` (the latest record of each key),
 * `SubscriptionStore` and `ClaimStore` (consumer groups: what they are, and what they have yet to settle), `UpkeepStore`
 * (what nobody waits for).
 *
 * - **Order.** Of two appends at one offset the second finds the first one's block there, and writes nothing; so offsets
 *   are gapless and become visible in commit order (invariant 1). A read that sees offset n could have seen every offset
 *   below n.
 * - **Durability.** Whatever writes returns after its commit (invariant 2); records, head and producers change in one
 *   transaction (invariant 3).
 * - **Snapshots.** A page and the head beside it come from one statement: a trim, a close or a delete cannot make a
 *   silent gap between them (invariant 5).
 * - **Absence.** Undefined, or false, means that the topic or the subscription is gone, unless the method says otherwise.
 * - **Failures.** A database that is away, too slow or out of connections is a `StoreUnavailableError`. It says whether
 *   the statement's outcome is unknown: then it may have been committed. Anything else that it throws is a fault.
 * - **Waiting.** Statements and pool waits have time limits. An aborted signal abandons the wait, never the statement.
 */

import type { ClaimStore } from "./claim-store.js";
import type { LogStore, PageRequest, PageSearchRequest } from "./log-store.js";
import type { StateChangesRequest, StateSearchRequest, StateStore } from "./state-store.js";
import type { SubscriptionStore } from "./subscription-store.js";
import type { TopicStore } from "./topic-store.js";
import type { UpkeepStore } from "./upkeep-store.js";

export interface Store extends TopicStore, LogStore, StateStore, SubscriptionStore, ClaimStore, UpkeepStore {
  /** How many statements can run at once. */
  readonly connections: number;
  /** How many bytes of frames one search looks through without being in anybody's way. */
  readonly searchBytes: number;

  /** What the database would do for a read, in its own words. */
  explain(read: ExplainedRead): Promise<string>;
  /** The database's own clock, microseconds since 1970. */
  now(): Promise<number>;
  /** Ends every connection after the statements under way. */
  close(): Promise<void>;
}

/** A read whose plan is asked for. */
export type ExplainedRead =
  | { readonly of: "page"; readonly request: PageRequest }
  | { readonly of: "page-search"; readonly request: PageSearchRequest }
  | { readonly of: "state-search"; readonly request: StateSearchRequest }
  | { readonly of: "state-changes"; readonly request: StateChangesRequest };
