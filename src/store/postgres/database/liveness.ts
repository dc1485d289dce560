/**
 * Whether a statement that is not answered is still worked on. A connection whose packets are swallowed looks like one that
 * is slow, and TCP takes many minutes to tell. So the server is asked on another connection what the backend does: one that
 * has no statement, or is not there, will not answer. While the server cannot be reached nobody knows, and it is asked again.
 */

import pg from "pg";

export interface Liveness {
  /** Whether the backend has nothing to answer. Throws when the server does not say. */
  isIdle(pid: number): Promise<boolean>;
  close(): Promise<void>;
}

/** A server that takes longer for this is away. */
const answerMs = 1000;

export function createLiveness(url: string): Liveness {
  let client: pg.Client | undefined;
  let turns: Promise<unknown> = Promise.resolve();

  async function connected(): Promise<pg.Client> {
    if (client !== undefined) return client;
    const connecting = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: answerMs,
      query_timeout: answerMs,
      fallback_application_name: "millrace-liveness",
    });
    connecting.on("error", () => forget(connecting));
    connecting.on("end", () => forget(connecting));
    await connecting.connect();
    client = connecting;
    return connecting;
  }

  function forget(one: pg.Client): void {
    if (client === one) client = undefined;
  }

  async function ask(pid: number): Promise<boolean> {
    const asked = await connected();
    try {
      const { rows } = await asked.query("select state from pg_stat_activity where pid = $1", [pid]);
      return rows.length === 0 || String(rows[0].state).startsWith("idle");
    } catch (error) {
      forget(asked);
      // It may be as dead as the one that is asked about.
      asked.end().catch(() => undefined);
      throw error;
    }
  }

  return {
    // One after the other: however many statements wait, the server gets one connection more.
    isIdle(pid) {
      const turn = turns.then(() => ask(pid));
      turns = turn.catch(() => undefined);
      return turn;
    },
    async close() {
      await turns;
      await client?.end().catch(() => undefined);
    },
  };
}
