/**
 * Asks the server whether it is still executing a statement that has no answer. A connection whose packets are dropped
 * looks like a slow one, and TCP takes many minutes to notice. So another connection asks what the backend is doing:
 * one that executes no statement, or does not exist, will not answer. While the server cannot be reached, the question
 * is repeated.
 */

import pg from "pg";

export interface Liveness {
  /** Whether the backend has nothing to answer. Throws when the server does not reply. */
  isIdle(pid: number): Promise<boolean>;
  close(): Promise<void>;
}

/** A server that takes longer than this counts as unreachable. */
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
      // This connection may be as dead as the one in question.
      asked.end().catch(() => undefined);
      throw error;
    }
  }

  return {
    // One question at a time: any number of waiting statements costs the server one connection.
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
