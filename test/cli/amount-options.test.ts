import { expect, test } from "vitest";
import { durationOption, sizeOption } from "../../src/cli/amount-options.js";

test("durationOption(), reads a number with a unit as milliseconds", () => {
  const read = durationOption("--retain-age");
  const amounts = {
    "0": 0,
    "5ms": 5,
    "90s": 90_000,
    "1.5h": 5_400_000,
    "2m": 120_000,
    "7d": 604_800_000,
    "1w": 604_800_000,
  };
  for (const [text, ms] of Object.entries(amounts)) expect(read(text), text).toBe(ms);
  for (const text of ["", "7", "7y", "d", "-1d", "1 d", "1e3s", "7D", "99999999999w", "1toString"]) {
    expect(() => read(text), text).toThrow(
      `--retain-age: must be a number with a unit (ms, s, m, h, d, w) such as 90s or 7d, got ${JSON.stringify(text)}`,
    );
  }
});

test("sizeOption(), reads bytes, with a unit or without", () => {
  const read = sizeOption("--retain-bytes");
  const amounts = { "0": 0, "5": 5, "5B": 5, "2kB": 2000, "2KiB": 2048, "1.5MiB": 1_572_864, "10GiB": 10_737_418_240 };
  for (const [text, bytes] of Object.entries(amounts)) expect(read(text), text).toBe(bytes);
  for (const text of ["", "10G", "10gib", "-1", "1.5", "0.3B", "99999999TiB"]) {
    expect(() => read(text), text).toThrow(
      "--retain-bytes: must be a number of bytes, or one with a unit (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB) such as 10GiB",
    );
  }
});
