import type { Sharing } from "../../src/core/index.js";
import { createTestDatabase } from "../support/database.js";
import { databaseArguments, startServerProcess } from "../support/server-process.js";
import { seededRandom, wholeNumberBetween } from "../support/soak.js";
import { openScene } from "./consume-scene.js";
import type { Habits } from "./consume-worker.js";

export interface TwoNodesRun {
  readonly sharing: Sharing;
  readonly records: number;
  readonly seed: number;
  /** How often a node is stopped for longer than its lease and resumed, and how often one is killed. */
  readonly freezes: number;
  readonly kills: number;
}

const leaseMs = 1000;

/** After this time a resumed node has noticed what it lost. */
const recoveryMs = 500;

const habits: Habits = {
  reject: 0.05,
  release: 0.03,
  extend: 0.03,
  forget: 0.001,
  window: 0.05,
  leave: 0.005,
  // Many records are outstanding when a node stops, and are acknowledged while it is stopped.
  workMs: 150,
  windowRecords: 100,
};

/**
 * Four consumers of one subscription on two nodes. One node is stopped with SIGSTOP for longer than its lease and
 * resumed, or is killed. No record is confirmed to two consumers, none is delivered after its confirmation, and nothing
 * gets stuck.
 */
export async function consumeOnTwoNodes(run: TwoNodesRun): Promise<void> {
  const { sharing, records, seed, freezes, kills } = run;
  const startedMs = performance.now();
  const chance = seededRandom(seed ^ 0x5ca1ab1e);
  const database = await createTestDatabase("postgres");
  const args = ["--log-level", "error", "--session-lease-ms", `${leaseMs}`, ...databaseArguments(database.connection)];
  const start = (address: string) => startServerProcess(["--listen", address, ...args]);
  const nodes = await Promise.all([start("127.0.0.1:0"), start("127.0.0.1:0")]);
  const addresses = nodes.map(({ address }) => address);
  const nodeAt = (index: number) => addresses[index % 2] ?? "";
  const scene = await openScene({
    sharing,
    records,
    seed,
    consumers: 4,
    habits,
    address: nodeAt(0),
    addressOf: nodeAt,
    isOneNode: false,
  });
  try {
    const disruptions = [...Array<"freeze">(freezes).fill("freeze"), ...Array<"kill">(kills).fill("kill")]
      .map((what) => ({ what, place: chance() }))
      .toSorted((left, right) => left.place - right.place);
    for (const [round, { what }] of disruptions.entries()) {
      await scene.reaches((records * (round + 0.5 + 0.5 * chance())) / (disruptions.length + 1));
      const index = wholeNumberBetween(chance, 0, 1);
      const node = nodes[index]!;
      if (what === "kill") {
        scene.disrupted(`node ${index} killed`);
        await node.stop("SIGKILL");
        await scene.lastWordsOf(`node ${index}`);
        nodes[index] = await start(node.address);
        scene.disrupted(`node ${index} back`);
        continue;
      }
      const calls = scene.workers.flatMap((worker) => {
        return worker.call !== undefined && worker.address === node.address ? [worker.call] : [];
      });
      scene.frozen("frozen", calls);
      node.process.kill("SIGSTOP");
      try {
        await scene.passes(leaseMs * (1.5 + 1.5 * chance()));
      } finally {
        node.process.kill("SIGCONT");
      }
      await scene.passes(recoveryMs);
      scene.frozen("recovered", calls);
    }
    await scene.ends();
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(
      `${sharing} on two nodes, seed ${seed}, ${freezes} freezes, ${kills} kills, ${seconds} s:`,
      scene.history.counts,
    );
  } catch (error) {
    throw new Error(`consumeOnTwoNodes(${JSON.stringify(run)}): ${(error as Error).message}`, { cause: error });
  } finally {
    scene.close();
    await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
    await database.drop();
  }
}
