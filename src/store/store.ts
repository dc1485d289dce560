/**
 * What the engine needs from a database, and what it may rely on. One implementation, `postgres/`, serves Postgres and
 * PGlite. One conformance suite (`test/store`) checks both against this contract. Its parts are interfaces of their
 * own: `TopicStore` (names, settings, heads), `LogStore` (appends and pages), `StateStore` (the latest record of each
 * key), `SubscriptionStore` and `ClaimStore` (consumer groups, and what they have yet to settle), `UpkeepStore`
 * (background work).
 *
 * - **Order.** Of two appends at one offset, the second finds the first one's block and writes nothing. So offsets are
 *   gapless and become visible in commit order (invariant 1): a read that sees offset n could have seen every offset
 *   below n.
 * - **Durability.** A method that writes returns after its commit (invariant 2). Records, head and producers change in
 *   one transaction (invariant 3).
 * - **Snapshots.** One statement reads a page and its head: a trim, a close or a delete cannot make a silent gap
 *   between them (invariant 5).
 * - **Absence.** Undefined or false means that the topic or the subscription does not exist, unless the method says
 *   otherwise.
 * - **Failures.** A `StoreUnavailableError` means that the database is unreachable, too slow or out of connections. It
 *   tells whether the statement's outcome is unknown: then it may have been committed. Any other error is a bug.
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
  /** How many frame bytes one search may read without delaying other work. */
  readonly searchBytes: number;

  /** The database's plan for a read. */
  explain(read: ExplainedRead): Promise<string>;
  /** The database's own clock, microseconds since 1970. */
  now(): Promise<number>;
  /** Ends every connection after the running statements. */
  close(): Promise<void>;
}

/** A read to explain. */
export type ExplainedRead =
  | { readonly of: "page"; readonly request: PageRequest }
  | { readonly of: "page-search"; readonly request: PageSearchRequest }
  | { readonly of: "state-search"; readonly request: StateSearchRequest }
  | { readonly of: "state-changes"; readonly request: StateChangesRequest };
