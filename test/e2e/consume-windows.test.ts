import { afterAll, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { changeWindows, loseNoPermits } from "./consume-windows.js";

afterAll(killServerProcesses);

const size = { changes: 100, verdicts: 1000, seed: 1 };

test.concurrent(
  "a consumer of a keyed subscription never has more than its window, which it changes again and again",
  () => changeWindows("embedded", { ...size, sharing: "keyed" }),
  60_000,
);

test.concurrent(
  "a consumer of a shared subscription can fill its window after acknowledgements, rejections and timeouts",
  () => loseNoPermits("postgres", { ...size, sharing: "shared" }),
  60_000,
);
