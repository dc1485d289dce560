/** A node on a simulated database, which may be killed. */

import type { Limits } from "../../../../src/core/index.js";
import { openTestEngine, type TestEngine } from "../../../support/open-engine.js";
import type { Random } from "../../../support/soak.js";
import type { SimulatedDatabase } from "./simulated-database.js";

/** By the simulated clock. */
const leaseMs = 6000;
export const headPollMs = 2000;

export interface SimulatedNode {
  readonly name: string;
  readonly node: TestEngine;
  readonly isAlive: boolean;
  /** Ends the process at once. Its session is ended too, as if its lease had expired. */
  kill(sessions: Iterable<number>): Promise<void>;
  close(): Promise<void>;
}

export interface SimulatedNodeOptions {
  readonly name: string;
  /** In [0, 1): determines the order of sessions. */
  readonly random: Random;
  readonly limits: Partial<Limits>;
}

/** Makes session ids unique; their order depends on the history alone. */
let sessions = 0;

export async function openSimulatedNode(
  database: SimulatedDatabase,
  { name, random, limits }: SimulatedNodeOptions,
): Promise<SimulatedNode> {
  let isAlive = true;
  const clock = database.clock.forProcess();
  const node = await openTestEngine(
    database.forProcess(() => isAlive),
    {
      clock,
      newSession: () => Math.floor(random() * 2 ** 24) * 2 ** 28 + ++sessions,
      headPollMs,
      sessionLeaseMs: leaseMs,
      heartbeatMinMs: 3_600_000,
      heartbeatMaxMs: 3_600_000,
      ...limits,
    },
  );
  return {
    name,
    node,
    get isAlive() {
      return isAlive;
    },
    async kill(sessions) {
      isAlive = false;
      clock.kill();
      await database.clock.settle();
      for (const session of sessions) await database.store.renewSession(session, -1000);
    },
    async close() {
      let isClosed = false;
      const closed = node.engine.close().finally(() => (isClosed = true));
      while (!isClosed) await database.clock.advance(50);
      await closed;
      isAlive = false;
      clock.kill();
    },
  };
}
