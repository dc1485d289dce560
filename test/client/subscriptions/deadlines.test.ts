import { describe, expect, test } from "vitest";
import { manualTimers } from "../manual-timers.js";
import { openGroup } from "./open-consumption.js";
import { recordsAt, type ScriptedGroup, sorted, upTo } from "./scripted-group.js";

describe("deadlines", () => {
  const isExtended = (group: ScriptedGroup, offset: number, times: number) =>
    expect.poll(() => group.extended.filter((each) => each === offset).length).toBeGreaterThanOrEqual(times);
  const ackDeadlineMs = 8000;
  const halfMs = ackDeadlineMs / 2;

  test("are extended repeatedly for deliveries in hand; records not begun in time are released", async () => {
    const timers = manualTimers();
    const { consume, group } = await openGroup([upTo(3)], { ackDeadlineMs, timers });
    const consumption = consume();
    await consumption.forEach(async ({ offset, signal }) => {
      expect(offset).toBe(0);
      await expect.poll(() => consumption.outstanding).toBe(3);
      for (const times of [1, 2, 3]) {
        timers.pass(halfMs);
        await isExtended(group, 0, times);
      }
      expect(signal.aborted).toBe(false);
      void consumption.stop();
    });
    expect(group.acknowledged).toEqual([0]);
    expect(group.released).toEqual([1, 2]);
    expect(new Set(group.extended)).toEqual(new Set([0]));
  });

  test("follow the clock that the client was given", async () => {
    const timers = manualTimers();
    const { consume, group } = await openGroup([upTo(3)], { ackDeadlineMs, timers });
    const consumption = consume();
    const loop = consumption[Symbol.asyncIterator]();
    await loop.next();
    timers.pass(halfMs - 1);
    timers.pass(1);
    await expect.poll(() => group.said.length).toBe(1);
    expect(group.said[0]).toMatchObject({
      extend: [{ offsets: { firstOffset: 0, nextOffset: 1 }, attempt: 1, by: undefined }],
      release: [{ offsets: { firstOffset: 1, nextOffset: 3 }, attempt: 1 }],
      window: { records: 1 },
    });
    expect(consumption.window.records).toBe(1000);
    await loop.return?.();
    expect(timers.running).toBe(0);
  });

  test("are extended for records not begun, when no other consumer can receive them", async () => {
    const timers = manualTimers();
    const { consume, group } = await openGroup([upTo(3)], { ackDeadlineMs, sharing: "exclusive", timers });
    const consumption = consume();
    await consumption.forEach(async ({ offset }) => {
      for (const times of offset === 0 ? [1, 2] : []) {
        timers.pass(halfMs);
        await isExtended(group, 2, times);
      }
      if (offset === 2) void consumption.stop();
    });
    expect(group.released).toEqual([]);
    expect(sorted(group.acknowledged)).toEqual(upTo(3));
  });

  test("pass when nobody extends them, or the server has redelivered the record", async () => {
    const timers = manualTimers();
    const { consume, group, call } = await openGroup([upTo(3)], { ackDeadlineMs, timers });
    const overdue = consume({ extend: false });
    await overdue.forEach(async (delivery) => {
      void overdue.stop();
      timers.pass(ackDeadlineMs - 1);
      expect(delivery.signal.aborted).toBe(false);
      timers.pass(1);
      expect(delivery.signal.aborted).toBe(true);
      expect(await delivery.acknowledge()).toBe("stale");
    });
    expect(group.extended).toEqual([]);
    expect(group.acknowledged).toEqual([]);

    group.stale.add(0);
    const stale = consume();
    let handed = 0;
    await stale.forEach(async ({ offset, signal }) => {
      handed += 1;
      if (handed > 1) return;
      expect(offset).toBe(0);
      timers.pass(halfMs);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      call().write(recordsAt([0], 2));
      void stale.stop();
    });
  });

  test("extend() asks for the given time", async () => {
    const { consume, group } = await openGroup([[0]]);
    for await (const delivery of consume()) {
      delivery.extend(90_000);
      await isExtended(group, 0, 1);
      await delivery.acknowledge();
      break;
    }
    expect(group.said.flatMap(({ extend }) => extend)).toMatchObject([{ by: { seconds: 90, nanos: 0 } }]);
  });

  test("that passed earlier at the server: the redelivery replaces the delivery", async () => {
    const { consume, group, call } = await openGroup([upTo(4)]);
    const attempts: string[] = [];
    const consumption = consume();
    for await (const { offset, attempt, signal } of consumption) {
      if (attempts.length === 0) {
        call().write(recordsAt([0, 2], 2));
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      }
      attempts.push(`${offset}:${attempt}`);
      if (attempts.length === 5) void consumption.stop();
    }
    expect(attempts).toEqual(["0:1", "1:1", "3:1", "0:2", "2:2"]);
    expect(sorted(group.acknowledged)).toEqual(upTo(4));
  });
});
