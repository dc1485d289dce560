import { expect, test } from "vitest";
import { seededRandom } from "../support/soak.js";
import { raceOnBlocks } from "./block-races.js";

test("blocks, contain what was acknowledged, while writers, merges, trims and a close race on two nodes", async () => {
  const counts = await raceOnBlocks({ random: seededRandom(1), durationMs: 5000, topics: 3, writers: 6 });
  // Otherwise the test proves nothing.
  for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(0);
}, 60_000);
