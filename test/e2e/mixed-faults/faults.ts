/** Faults of two nodes, of what they depend on, and of their clients. A fault is over when its promise resolves. */

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { runOn } from "../../support/database.js";
import type { FaultProxy } from "../../support/fault-proxy.js";
import { oneOf, type Random, wholeNumberBetween } from "../../support/soak.js";
import { killPostgres } from "../kill-postgres.js";
import { type Fleet, graceMs, type Node } from "./fleet.js";

export interface Fault {
  readonly name: string;
  /** Two faults of one round have different targets. */
  readonly target: string;
  inject(): Promise<void>;
}

/** Draws all random numbers beforehand: events meanwhile must not change what a seed means. */
type Draw = (fleet: Fleet, random: Random) => Fault;

/** How long SIGTERM may take: its grace, a second, and a busy machine's delay of timers. */
const endedMsMax = graceMs + 1000 + 300;

const proxied = (
  name: string,
  run: (proxy: FaultProxy, ms: number, random: Random) => Promise<void>,
  waitMsMax: number,
) =>
  (["wire", "database"] as const).map(
    (side): Draw =>
      (fleet, random) => {
        const node = oneOf(random, fleet.nodes);
        const ms = wholeNumberBetween(random, 50, waitMsMax);
        return {
          name: `${side} of ${node.name}: ${name} for ${ms} ms`,
          target: `${side} ${node.name}`,
          inject: () => run(node[side], ms, random),
        };
      },
  );

const ofNode =
  (name: string, run: (node: Node, ms: number) => Promise<void>, waitMsMax = 0): Draw =>
  (fleet, random) => {
    const node = oneOf(random, fleet.nodes);
    const ms = wholeNumberBetween(random, 0, waitMsMax);
    return { name: `${name} node ${node.name} (${ms} ms)`, target: `node ${node.name}`, inject: () => run(node, ms) };
  };

const ofPostgres =
  (name: string, run: (fleet: Fleet, ms: number) => Promise<void>, waitMsMax = 0): Draw =>
  (fleet, random) => {
    const ms = wholeNumberBetween(random, 0, waitMsMax);
    return { name: `${name} Postgres (${ms} ms)`, target: "postgres", inject: () => run(fleet, ms) };
  };

async function under(proxy: FaultProxy, weather: Parameters<FaultProxy["set"]>[0], ms: number): Promise<void> {
  proxy.set(weather);
  await delay(ms);
  proxy.set({});
}

const delayed = proxied("delay", (proxy, ms) => under(proxy, { delayMs: 60 }, ms), 1000);
const throttled = proxied("throttle", (proxy, ms) => under(proxy, { bytesPerSecond: 50_000 }, ms), 1000);
// Dropped bytes are missing for ever: the connection can only be abandoned.
const swallowed = proxied(
  "swallow",
  async (proxy, ms) => {
    await under(proxy, { drops: "all" }, ms);
    proxy.cut("reset");
  },
  1500,
);
const reset = proxied("reset", async (proxy) => proxy.cut("reset"), 50);
const halfOpen = proxied(
  "half-open",
  async (proxy, ms) => {
    proxy.halfOpen();
    await delay(ms);
    proxy.cut("reset");
  },
  1500,
);
/** Only to the database: for what a node commits in one statement, and what it commits by COMMIT. */
const resetAtCommit: Draw = (fleet, random) => {
  const node = oneOf(random, fleet.nodes);
  const ms = wholeNumberBetween(random, 50, 500);
  return {
    name: `database of ${node.name}: reset between a commit and its answer for ${ms} ms`,
    target: `database ${node.name}`,
    inject: () => under(node.database, { resetsAnswerTo: /commit|millrace_append|millrace_settle/i }, ms),
  };
};
/** Answers are dropped, and the connections stay open: the node must notice by itself. */
const silenced: Draw = (fleet, random) => {
  const node = oneOf(random, fleet.nodes);
  const ms = wholeNumberBetween(random, 50, 2000);
  return {
    name: `database of ${node.name}: silent for ${ms} ms`,
    target: `database ${node.name}`,
    inject: () => under(node.database, { drops: "answers" }, ms),
  };
};

const terminated = ofNode("SIGTERM to", async (node) => {
  const { code, endedMs } = await node.restart("SIGTERM");
  expect(code, `Node ${node.name} after SIGTERM:\n${node.log.slice(-5).join("\n")}`).toBe(0);
  expect(endedMs).toBeLessThan(endedMsMax);
});
const killed = ofNode("kill", async (node) => void (await node.restart("SIGKILL")));
const frozen = ofNode(
  "freeze",
  async (node, ms) => {
    node.signal("SIGSTOP");
    await delay(ms);
    node.signal("SIGCONT");
  },
  4500,
);

const backendsKilled = ofPostgres("terminate all backends of", async ({ postgres }) => {
  await runOn(
    postgres.url,
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'",
  );
});
const postgresKilled = ofPostgres("kill", ({ postgres }) => killPostgres(postgres));
const postgresRestarted = ofPostgres(
  "restart",
  async ({ postgres }, ms) => {
    await postgres.stop();
    await delay(ms);
    await postgres.start();
  },
  1000,
);

/** In proportion to their frequency. */
const draws: readonly Draw[] = [
  [delayed, delayed, reset, reset, throttled, swallowed, halfOpen].flat(),
  [resetAtCommit, resetAtCommit, resetAtCommit, silenced, silenced],
  Array.from({ length: 5 }, () => terminated),
  [killed, killed, frozen, frozen],
  [backendsKilled, backendsKilled, postgresKilled, postgresRestarted],
].flat();

/** Several faults at once, each with another target. */
export function drawFaults(fleet: Fleet, random: Random, count: number): readonly Fault[] {
  const faults: Fault[] = [];
  while (faults.length < count) {
    const fault = oneOf(random, draws as readonly [Draw, ...Draw[]])(fleet, random);
    if (!faults.some(({ target }) => target === fault.target)) faults.push(fault);
  }
  return faults;
}

export const isSigterm = ({ name }: Fault): boolean => name.startsWith("SIGTERM");
