import { afterAll, describe, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { changeWindows, loseNoPermits } from "./consume-windows.js";

afterAll(killServerProcesses);

describe.concurrent.each([
  ["shared", "postgres"],
  ["keyed", "embedded"],
] as const)("a consumer of a %s subscription on %s", (sharing, kind) => {
  const run = { sharing, changes: 200, verdicts: 3000, seed: 1 };

  test("never has more than its window, which it changes again and again", () => changeWindows(kind, run), 60_000);

  test("can fill its window after acknowledgements, rejections and timeouts", () => loseNoPermits(kind, run), 60_000);
});
