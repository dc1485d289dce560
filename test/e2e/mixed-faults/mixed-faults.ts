/**
 * Faults of all kinds, some at once, round by round, while publishers, followers, watchers and consumers of all three kinds are
 * at work, and hostile clients beside them. After each round everybody gets on again soon; in the end nothing
 * is lost, repeated or out of order, no call ended as a fault of ours, and no node by itself.
 */

import { expect } from "vitest";
import { seededRandom } from "../../support/soak.js";
import { drawFaults, isSigterm } from "./faults.js";
import { expectNoFaultOfOurs, startFleet } from "./fleet.js";
import { attackUntil } from "./hostile-clients.js";
import { Work } from "./work.js";

/** Then it is not late, it is stuck. */
const stuckMs = 60_000;
/** A node of this work stays below it. */
const residentBytesMost = 400_000_000;

export interface MixedFaults {
  readonly seed: number;
  readonly faults: number;
  /** How many of them at once. */
  readonly atOnce: number;
  /** What everybody may wait after a fault is over, in milliseconds. */
  readonly returnMsMost: number;
}

export async function workThroughFaults({ seed, faults, atOnce, returnMsMost }: MixedFaults): Promise<void> {
  const random = seededRandom(seed);
  const fleet = await startFleet();
  const [one, other] = fleet.nodes;
  const work = new Work([one.address, other.address], seededRandom(seed + 1));
  const over = new AbortController();
  const startedMs = performance.now();
  let attacks: Promise<number> | undefined;
  try {
    await work.begin();
    attacks = attackUntil(() => [one.ownAddress, other.ownAddress], seededRandom(seed + 2), over.signal);
    attacks.catch(() => undefined);
    const slow: string[] = [];
    let [injected, sigterms, worstMs, mostBytes] = [0, 0, 0, 0];
    while (injected < faults) {
      const round = drawFaults(fleet, random, Math.min(atOnce, faults - injected));
      const names = round.map(({ name }) => name).join("; ");
      try {
        await Promise.all(round.map((fault) => fault.inject()));
        const { ms, last } = await work.goesOn(performance.now(), stuckMs);
        worstMs = Math.max(worstMs, ms);
        if (ms > returnMsMost) slow.push(`${Math.round(ms)} ms for ${last}, after: ${names}`);
        expectNoFaultOfOurs(fleet);
      } catch (error) {
        throw new Error(`After ${injected} faults, with: ${names}: ${(error as Error).message}`, { cause: error });
      }
      injected += round.length;
      sigterms += round.filter(isSigterm).length;
      for (const node of fleet.nodes) mostBytes = Math.max(mostBytes, await node.residentBytes());
      if (injected % 100 < atOnce) {
        const minutes = ((performance.now() - startedMs) / 60_000).toFixed(1);
        console.log(
          `${minutes} min: ${injected} faults, ${work.published} records published, worst wait ${Math.round(worstMs)} ms`,
        );
      }
    }
    over.abort();
    const attacked = await attacks;
    await work.end();
    expectNoFaultOfOurs(fleet);
    console.log(
      `seed ${seed}: ${injected} faults (${sigterms} SIGTERM) and ${attacked} attacks; ${work.published} records published,`,
      `${work.consumed.join(", ")} confirmed to consumers, ${work.tried} reconnections; worst wait ${Math.round(worstMs)} ms,`,
      `at most ${(mostBytes / 1e6).toFixed(0)} MB a node, ${((performance.now() - startedMs) / 60_000).toFixed(1)} min`,
    );
    expect(slow).toEqual([]);
    expect(attacked).toBeGreaterThan(faults / 3);
    expect(mostBytes).toBeLessThan(residentBytesMost);
  } catch (error) {
    for (const node of fleet.nodes) console.log(`node ${node.name}:\n${node.log.slice(-15).join("\n")}`);
    throw error;
  } finally {
    over.abort();
    await Promise.race([work.close(), new Promise((resolve) => setTimeout(resolve, 5000))]);
    await fleet.close();
  }
}
