import { describe, expect, test } from "vitest";
import type { Delivery } from "../../../src/client/index.js";
import { openGroup } from "./open-consumption.js";
import { confirmedMessage, recordsAt } from "./scripted-group.js";

describe("a consumption", () => {
  test("sends the attempt of each record's delivery", async () => {
    const { consume, group, call } = await openGroup([[0, 1]]);
    const consumption = consume();
    const verdicts: Record<number, (delivery: Delivery) => unknown> = {
      0: (delivery) => delivery.release(),
      1: () => call().write(recordsAt([2, 3], 2)),
      2: (delivery) => delivery.reject({ delayMs: 0 }),
      3: () => call().write(recordsAt([4], 7)),
      4: (delivery) => {
        delivery.extend();
        void delivery.park();
        void consumption.stop();
      },
    };
    for await (const delivery of consumption) verdicts[delivery.offset]?.(delivery);
    const said = (kind: "acknowledge" | "reject" | "extend" | "park" | "release") =>
      group.said.flatMap((request) => request[kind]).map(({ offsets, attempt }) => [offsets?.firstOffset, attempt]);
    expect(said("release")).toEqual([[0, 1]]);
    expect(said("acknowledge")).toEqual([
      [1, 1],
      [3, 2],
    ]);
    expect(said("reject")).toEqual([[2, 2]]);
    expect(said("extend")).toEqual([[4, 7]]);
    expect(said("park")).toEqual([[4, 7]]);
  });

  test("keeps two deliveries of a record apart: a late answer belongs to the earlier one", async () => {
    const { consume, group, call } = await openGroup([[0, 1]], { isSilent: true });
    const consumption = consume();
    const loop = consumption[Symbol.asyncIterator]();
    const next = async (): Promise<Delivery> => (await loop.next()).value as Delivery;
    const answer = (await next()).acknowledge();
    await expect.poll(() => group.acknowledged).toEqual([0]);
    // Its deadline passed before the verdict arrived.
    call().write(recordsAt([0], 2));
    expect(await answer).toBe("stale");
    expect((await next()).offset).toBe(1);
    const second = await next();
    expect([second.offset, second.attempt]).toEqual([0, 2]);
    const confirmed = second.acknowledge();
    await expect.poll(() => group.acknowledged).toEqual([0, 1, 0]);
    // An answer to the first, then to the second.
    call().write(confirmedMessage({ stale: [[0, 1]] }));
    call().write(confirmedMessage({ acknowledged: [0, 1] }));
    expect(await confirmed).toBe("acknowledged");
    group.isSilent = false;
    await loop.return?.();
  });

  test("loses stale records of the attempt that it has, in hand or not, and none of another attempt", async () => {
    const { consume, group, call } = await openGroup([[0, 1, 2, 3]], { attempt: 2, isSilent: true });
    const consumption = consume();
    const deliveries = consumption[Symbol.asyncIterator]();
    const held = (await deliveries.next()).value as Delivery;
    await expect.poll(() => consumption.outstanding).toBe(4);
    call().write(
      confirmedMessage({
        stale: [
          [0, 1],
          [1, 1],
          [2, 2],
          // Any.
          [3, 0],
        ],
      }),
    );
    await expect.poll(() => consumption.outstanding).toBe(2);
    expect(held.signal.aborted).toBe(false);
    call().write(confirmedMessage({ stale: [[0, 2]] }));
    await expect.poll(() => held.signal.aborted).toBe(true);
    const left = (await deliveries.next()).value as Delivery;
    expect([left.offset, left.attempt]).toEqual([1, 2]);
    group.isSilent = false;
    await deliveries.return?.();
  });
});
