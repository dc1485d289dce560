import { expect, it } from "vitest";
import { fittingWrites } from "../../../src/engine/writing/shared-commits.js";

const writes = (count: number, bytes: number) =>
  Array.from({ length: count }, () => ({ frames: new Uint8Array(bytes) }));

it.each([
  ["one write, whatever its size", writes(1, 2_000_000), 1],
  ["256 topics at most", writes(300, 1), 256],
  ["a megabyte of frames at most", writes(100, 262_144), 4],
  ["all that wait, where they are few", writes(7, 100), 7],
])("a shared commit takes %s", (_what, waiting, count) => {
  expect(fittingWrites(waiting)).toBe(count);
});
