export interface ConnectionLimits {
  /** The server cancels a statement after this time. */
  readonly statementTimeoutMs: number;
  /** The server ends a transaction that is idle this long, which frees the topic that it locks. */
  readonly idleInTransactionMs: number;
}

/**
 * The first command of every connection. Settings are sent by SET: PgBouncer would refuse them in the start-up packet.
 *
 * - `synchronous_commit`: invariant 2, whatever the server's default is.
 * - READ COMMITTED: a statement after a lock must see what the lock waited for.
 * - The planner: each of our statements walks an index in order, and a page relies on that order. Without statistics (a
 *   new or a restored table) the planner would guess, so the other scans are off. JIT is off too: it costs more than
 *   any of our statements. All values then get the same plan, so each connection plans a statement once.
 */
export function connectionSettings(limits: ConnectionLimits): string {
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
