import { describe, test } from "vitest";
import { soakCount, soakRounds, soakTimeoutMs } from "../../support/soak.js";
import { fuzzConsumers, sharings } from "./fuzz-consumers.js";

/** For each sharing: by default a round has 10,000 histories in all. */
const histories = soakCount(3400);

describe("histories of consumers on a simulated clock", () => {
  test.each(sharings)(
    "%s, agree with the model",
    (sharing) =>
      soakRounds(`consumers, ${sharing}`, async (random) => {
        const seed = Math.floor(random() * 2 ** 31);
        console.log(`consumers, ${sharing}: the seeds ${seed} to ${seed + histories - 1}`);
        const { deliveries, statements } = await fuzzConsumers({ sharing, seed, histories });
        console.log(
          `consumers, ${sharing}: ${histories} histories, ${deliveries} deliveries, ${statements} statements`,
        );
      }),
    soakTimeoutMs,
  );
});
