export interface SessionLimits {
  /** After so long the server cancels a statement. */
  readonly statementTimeoutMs: number;
  /** After so long without a statement the server ends a transaction, and frees the topic that it holds. */
  readonly idleInTransactionMs: number;
}

/**
 * What every session of ours begins with, as one command. Settings come by SET, not in the start-up packet, which
 * PgBouncer would refuse.
 *
 * - `synchronous_commit`: invariant 2, whatever the server's default is.
 * - READ COMMITTED: a statement after a lock must see what the lock waited for.
 * - The planner: each of our statements walks a key in order, and a page relies on that order. Without statistics (a
 *   new table, a restored one) it would choose by guess, so the other ways are off, and so is JIT, which costs more
 *   than any of them runs. Plans are then the same for all values, hence made once a connection.
 */
export function sessionSettings(limits: SessionLimits): string {
  return [
    "set application_name = 'millrace'",
    "set synchronous_commit = on",
    "set default_transaction_isolation = 'read committed'",
    `set statement_timeout = ${limits.statementTimeoutMs}`,
    `set idle_in_transaction_session_timeout = ${limits.idleInTransactionMs}`,
    "set plan_cache_mode = force_generic_plan",
    "set enable_seqscan = off",
    "set enable_bitmapscan = off",
    "set max_parallel_workers_per_gather = 0",
    "set jit = off",
  ].join("; ");
}
