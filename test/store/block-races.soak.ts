import { test } from "vitest";
import { soakRounds, soakTimeoutMs } from "../support/soak.js";
import { raceOnBlocks } from "./block-races.js";

const roundMs = 15_000;

test(
  "blocks, contain what was acknowledged, while writers, merges, trims and closes race on two nodes",
  () =>
    soakRounds("block races", async (random) => {
      const counts = await raceOnBlocks({ random, durationMs: roundMs, topics: 3, writers: 6 });
      console.log(
        Object.entries(counts)
          .map(([what, count]) => `${count} ${what}`)
          .join(", "),
      );
    }),
  soakTimeoutMs,
);
