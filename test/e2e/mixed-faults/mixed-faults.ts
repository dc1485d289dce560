/**
 * Rounds of faults of all kinds, some at once, while publishers, followers, watchers and consumers of all three kinds
 * work, beside hostile clients. After each round all of them work again soon. In the end nothing is lost, repeated or
 * out of order, no call ended as a fault of ours, and no node ended by itself.
 */

import { expect } from "vitest";
import { seededRandom } from "../../support/soak.js";
import { drawFaults, isSigterm } from "./faults.js";
import { expectNoFaultOfOurs, startFleet } from "./fleet.js";
import { attackUntil } from "./hostile-clients.js";
import { Work } from "./work.js";

/** What takes longer is not late but stuck. */
const stuckMs = 60_000;
/** A node stays below it with this work. */
const residentBytesMax = 400_000_000;

export interface MixedFaults {
  readonly seed: number;
  readonly faults: number;
  /** How many of them at once. */
  readonly atOnce: number;
  /** The longest wait after the end of a fault, in milliseconds. */
  readonly returnMsMax: number;
}

export async function workThroughFaults({ seed, faults, atOnce, returnMsMax }: MixedFaults): Promise<void> {
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
    let [injected, sigterms, worstMs, peakBytes] = [0, 0, 0, 0];
    while (injected < faults) {
      const round = drawFaults(fleet, random, Math.min(atOnce, faults - injected));
      const names = round.map(({ name }) => name).join("; ");
      try {
        await Promise.all(round.map((fault) => fault.inject()));
        const { ms, last } = await work.goesOn(performance.now(), stuckMs);
        worstMs = Math.max(worstMs, ms);
        if (ms > returnMsMax) slow.push(`${Math.round(ms)} ms for ${last}, after: ${names}`);
        expectNoFaultOfOurs(fleet);
      } catch (error) {
        throw new Error(`After ${injected} faults, with: ${names}: ${(error as Error).message}`, { cause: error });
      }
      injected += round.length;
      sigterms += round.filter(isSigterm).length;
      for (const node of fleet.nodes) peakBytes = Math.max(peakBytes, await node.residentBytes());
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
      `at most ${(peakBytes / 1e6).toFixed(0)} MB a node, ${((performance.now() - startedMs) / 60_000).toFixed(1)} min`,
    );
    expect(slow).toEqual([]);
    expect(attacked).toBeGreaterThan(faults / 3);
    expect(peakBytes).toBeLessThan(residentBytesMax);
  } catch (error) {
    for (const node of fleet.nodes) console.log(`node ${node.name}:\n${node.log.slice(-15).join("\n")}`);
    throw error;
  } finally {
    over.abort();
    await Promise.race([work.close(), new Promise((resolve) => setTimeout(resolve, 5000))]);
    await fleet.close();
  }
}
