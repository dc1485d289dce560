import { describe, expect, test } from "vitest";
import { openGroup } from "./open-consumption.js";
import { sorted, upTo } from "./scripted-group.js";

describe("for await (… of consume())", () => {
  test("acknowledges each record when the next is asked for", async () => {
    const { consume, group } = await openGroup([upTo(10), upTo(5, 10)]);
    const seen: number[] = [];
    const consumption = consume();
    for await (const { offset, attempt, record } of consumption) {
      expect(attempt).toBe(1);
      expect(record.key).toBe(String(offset));
      seen.push(offset);
      if (offset === 13) void consumption.stop();
    }
    expect(seen).toEqual(upTo(14));
    expect(sorted(group.acknowledged)).toEqual(upTo(14));
    expect(group.released).toEqual([14]);
    expect(group.said.at(-1)).toMatchObject({ acknowledge: [{ offsets: { nextOffset: 14 } }] });
  });

  test("rejects the record at which it is left, and releases the rest", async () => {
    for (const leave of ["break", "throw"] as const) {
      const { consume, group } = await openGroup([upTo(6)]);
      const looping = async () => {
        for await (const { offset } of consume()) {
          if (offset < 2) continue;
          if (leave === "break") break;
          throw new Error("no more");
        }
      };
      if (leave === "break") await looping();
      else await expect(looping()).rejects.toThrow("no more");
      expect(sorted(group.acknowledged)).toEqual([0, 1]);
      expect(group.rejected).toEqual([{ offset: 2, reason: "the loop ended at this record", delayMs: undefined }]);
      expect(group.released).toEqual([3, 4, 5]);
    }
  });

  test("keeps a verdict of the loop's body, and reports what the server confirmed", async () => {
    const { consume, group } = await openGroup([upTo(6)]);
    group.stale.add(1);
    const answers: Promise<string>[] = [];
    const consumption = consume();
    for await (const delivery of consumption) {
      const { offset } = delivery;
      if (offset < 2) answers.push(delivery.acknowledge());
      if (offset === 2) answers.push(delivery.reject({ delayMs: 1500, reason: "later" }));
      if (offset === 3) answers.push(delivery.park("never"));
      if (offset === 4) answers.push(delivery.release());
      // The first verdict counts.
      if (offset < 5) answers.push(delivery.park());
      if (offset === 5) void consumption.stop();
    }
    const told = await Promise.all(answers);
    expect(told.filter((_, index) => index % 2 === 0)).toEqual([
      "acknowledged",
      "stale",
      "rejected",
      "parked",
      "released",
    ]);
    expect(new Set(told.filter((_, index) => index % 2 === 1))).toEqual(new Set(["stale"]));
    expect(sorted(group.acknowledged)).toEqual([0, 1, 5]);
    expect(group.rejected).toEqual([{ offset: 2, reason: "later", delayMs: 1500 }]);
    expect(group.said.flatMap(({ park }) => park)).toMatchObject([{ offsets: { firstOffset: 3 }, reason: "never" }]);
  });

  test("sends all verdicts of one turn in one message, adjacent ones as one range", async () => {
    const { consume, group } = await openGroup([upTo(600), [2000], upTo(400, 600)]);
    const consumption = consume();
    const loop = consumption[Symbol.asyncIterator]();
    const first = await loop.next();
    await expect.poll(() => consumption.outstanding).toBe(1001);
    const deliveries = [first.value];
    while (deliveries.length < 1001) deliveries.push((await loop.next()).value);
    await deliveries.at(-1)?.acknowledge();
    expect(group.said.map(({ acknowledge }) => acknowledge)).toEqual([
      [
        { offsets: { firstOffset: 0, nextOffset: 1000 }, attempt: 1 },
        { offsets: { firstOffset: 2000, nextOffset: 2001 }, attempt: 1 },
      ],
    ]);
    await loop.return?.();
  });

  test("ends at once when its signal aborts", async () => {
    const { consume, call } = await openGroup([[0]]);
    const stop = new AbortController();
    const loop = consume({ signal: stop.signal })[Symbol.asyncIterator]();
    const { value: delivery } = await loop.next();
    let cancelled = 0;
    call().on("cancelled", () => {
      cancelled += 1;
    });
    const parked = loop.next();
    stop.abort(new Error("enough"));
    await expect(parked).rejects.toThrow("enough");
    expect(delivery?.offset).toBe(0);
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    await expect.poll(() => cancelled).toBe(1);
  });

  test("can be used once, and not after stop()", async () => {
    const { consume } = await openGroup([upTo(3)]);
    const consumption = consume();
    for await (const delivery of consumption) if (delivery.offset === 1) break;
    await expect(consumption.forEach(() => {})).resolves.toBeUndefined();
    const running = consume();
    const loop = running[Symbol.asyncIterator]();
    await loop.next();
    await expect(running.forEach(() => {})).rejects.toThrow("iterated once");
    await loop.return?.();
    const stopped = consume();
    await stopped.stop();
    for await (const delivery of stopped) throw new Error(`gave ${delivery.offset}`);
  });
});
