/** What a failed statement says about its connection and about the database. */
export interface Failure {
  /** `lost`: the connection is gone, and with it the answer. `unavailable`: refused, and not done. `fault`: a bug. */
  readonly kind: "lost" | "unavailable" | "fault";
  /** The connection must not be used again. */
  readonly spoilsConnection: boolean;
}

const lost: Failure = { kind: "lost", spoilsConnection: true };
const refused: Failure = { kind: "unavailable", spoilsConnection: false };
const refusedByStaleSession: Failure = { kind: "unavailable", spoilsConnection: true };
const fault: Failure = { kind: "fault", spoilsConnection: false };

/** SQLSTATEs that count as "the database did not do it"; two characters stand for a class. */
const byState: Readonly<Record<string, Failure>> = {
  // Connection exceptions; terminated by an administrator, a crash, a shutdown, a dropped database, idleness.
  "08": lost,
  "57P01": lost,
  "57P02": lost,
  "57P03": lost,
  "57P04": lost,
  "57P05": lost,
  // Idle in a transaction, or a transaction too long: the server ends the session.
  "25P03": lost,
  "25P04": lost,
  // Cancelled: statement_timeout. The statement was rolled back.
  "57014": refused,
  "55P03": refused,
  // Out of connections, memory, disk. Deadlocks and serialization. Disk errors.
  "53": refused,
  "40": refused,
  "40003": lost,
  "58": refused,
  // A former primary that is read-only now: only a new connection finds the new one.
  "25006": refusedByStaleSession,
  // A prepared statement that this session does not have, or whose tables changed under it.
  "26000": refusedByStaleSession,
  "0A000": refusedByStaleSession,
};

/** `connectionBroke`: the client told of a broken connection, or its answer was given up. */
export function classifyFailure(error: unknown, connectionBroke: boolean): Failure {
  const state = sqlStateOf(error);
  if (state !== undefined) return byState[state] ?? byState[state.slice(0, 2)] ?? fault;
  return connectionBroke ? lost : fault;
}

/** The SQLSTATE of what the database itself said. By its shape: the errors of PGlite are of another class than those of pg. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("severity" in error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** A connect that no waiting will mend: wrong password or role, no such database, no right to it. */
export function isMisconfigured(error: unknown): boolean {
  return ["28P01", "28000", "3D000", "42501"].includes(sqlStateOf(error) ?? "");
}

export function messageOf(error: unknown): string {
  // A refused connect to a host with several addresses is an AggregateError with an empty message.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
