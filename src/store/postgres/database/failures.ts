import type { OutageCause } from "./outage.js";

/** What a failed statement says about its connection and about the database. */
export interface Failure {
  /** `lost`: the connection is gone and its answer is missing. `unavailable`: refused, not executed. `fault`: a bug. */
  readonly kind: "lost" | "unavailable" | "fault";
  /** The connection must not be used again. */
  readonly spoilsConnection: boolean;
  /** What it says about the whole database. `nothing`: it concerns this statement alone. */
  readonly tells: "away" | "broken-connection" | "nothing";
  /** The reason, a sentence for callers, who need not know about databases. Unset: the database is unreachable. */
  readonly why?: string;
}

const lost: Failure = { kind: "lost", spoilsConnection: true, tells: "broken-connection" };
const refused: Failure = { kind: "unavailable", spoilsConnection: false, tells: "nothing" };
const refusedByStaleConnection: Failure = { kind: "unavailable", spoilsConnection: true, tells: "nothing" };
const fault: Failure = { kind: "fault", spoilsConnection: false, tells: "nothing" };

const away = (why: string): Failure => ({ kind: "unavailable", spoilsConnection: false, tells: "away", why });

/** SQLSTATEs of statements that the database did not execute; two characters stand for a class. */
const byState: Readonly<Record<string, Failure>> = {
  // Connection exceptions. Terminated: by an administrator, a crash, a shutdown, a dropped database, idleness.
  "08": lost,
  "57P01": lost,
  "57P02": lost,
  "57P03": lost,
  "57P04": lost,
  "57P05": lost,
  // Idle in a transaction, or the transaction took too long: the server ends the connection.
  "25P03": lost,
  "25P04": lost,
  // Cancelled: statement_timeout. The statement was rolled back.
  "57014": { ...refused, why: "The database took too long" },
  "55P03": { ...refused, why: "The database took too long" },
  // Out of connections, memory or disk space. Disk errors.
  "53": away("The database is short of something that it needs"),
  "53100": away("The database has no room left on its disk"),
  "53200": away("The database is out of memory"),
  "53300": away("The database takes no more connections"),
  "58": away("The database cannot reach its files"),
  // Deadlocks and serialization.
  "40": { ...refused, why: "The database was busy with others" },
  "40003": lost,
  // A former primary that is now read-only: only a new connection reaches the new primary.
  "25006": { ...away("The database takes no writes"), spoilsConnection: true },
  // A revoked privilege.
  "42501": away("The database does not allow this node its work"),
  // The connection does not have this prepared statement, or its tables changed.
  "26000": refusedByStaleConnection,
  "0A000": refusedByStaleConnection,
};

/** `connectionBroke`: the client reported a broken connection, or an answer was abandoned. */
export function classifyFailure(error: unknown, connectionBroke: boolean): Failure {
  const state = sqlStateOf(error);
  if (state !== undefined) return byState[state] ?? byState[state.slice(0, 2)] ?? fault;
  return connectionBroke ? lost : fault;
}

/** The SQLSTATE of a database error. It is recognised by its shape: PGlite's errors are not of pg's class. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("severity" in error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** A failed connect that no retry can fix: wrong password or role, no such database, no privilege to connect. */
export function isMisconfigured(error: unknown): boolean {
  return ["28P01", "28000", "3D000", "42501"].includes(sqlStateOf(error) ?? "");
}

/** What the log reports to the operator. */
export function causeOf(error: unknown): OutageCause {
  return { sqlState: sqlStateOf(error), text: messageOf(error) };
}

export function messageOf(error: unknown): string {
  // A refused connect to a host with several addresses is an AggregateError with an empty message.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  if (error instanceof Error) return error.message;
  // PGlite's file system throws plain objects with a WASI errno and little else.
  if (typeof error === "object" && error !== null && "errno" in error) {
    return wasiErrors[Number(error.errno)] ?? `its files cannot be used (WASI errno ${String(error.errno)})`;
  }
  return typeof error === "string" ? error : JSON.stringify(error);
}

const wasiErrors: Readonly<Record<number, string>> = {
  2: "permission denied",
  29: "input/output error",
  31: "there is a folder where a file should be",
  44: "a file is missing",
  51: "no space is left on the disk",
  54: "there is a file where a folder should be",
  63: "it is not permitted",
  69: "the file system is read-only",
};
