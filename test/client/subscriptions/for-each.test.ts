import { describe, expect, test } from "vitest";
import { openGroup } from "./open-consumption.js";
import { sorted, upTo } from "./scripted-group.js";

describe("Consumption.forEach()", () => {
  test("runs up to `concurrency` handlers, rejects on a throw, and continues", async () => {
    const { consume, group } = await openGroup([upTo(20), upTo(20, 20)]);
    let atWork = 0;
    let most = 0;
    const consumption = consume();
    const done: number[] = [];
    await consumption.forEach(
      async ({ offset }) => {
        atWork += 1;
        most = Math.max(most, atWork);
        await new Promise((resolve) => setImmediate(resolve));
        atWork -= 1;
        done.push(offset);
        if (done.length === 40) void consumption.stop();
        if (offset % 10 === 3) throw new Error(`bad ${offset}`);
      },
      { concurrency: 7 },
    );
    expect(most).toBe(7);
    expect(sorted(done)).toEqual(upTo(40));
    expect(group.rejected.map(({ offset, reason }) => `${offset} ${reason}`)).toEqual([
      "3 bad 3",
      "13 bad 13",
      "23 bad 23",
      "33 bad 33",
    ]);
    expect(sorted(group.acknowledged)).toEqual(upTo(40).filter((offset) => offset % 10 !== 3));
  });

  test("takes synchronous handlers, and cuts reasons to the stored length", async () => {
    const { consume, group } = await openGroup([upTo(5)]);
    const consumption = consume();
    await consumption.forEach(({ offset }) => {
      if (offset === 4) void consumption.stop();
      if (offset === 1) throw new Error("ß".repeat(1000));
    });
    expect(sorted(group.acknowledged)).toEqual([0, 2, 3, 4]);
    expect(group.rejected.map(({ reason }) => reason)).toEqual(["ß".repeat(512)]);
  });

  test("begins nothing more once its signal aborts", async () => {
    const { consume } = await openGroup([[0, 1, 2, 3]]);
    const stop = new AbortController();
    const begun: number[] = [];
    const working = consume({ signal: stop.signal }).forEach(({ offset }) => {
      begun.push(offset);
      stop.abort(new Error("enough"));
    });
    await expect(working).rejects.toThrow("enough");
    expect(begun).toEqual([0]);
  });
});
