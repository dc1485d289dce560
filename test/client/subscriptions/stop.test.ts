import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { endWith } from "../scripted-server.js";
import { openGroup, openScript } from "./open-consumption.js";
import { recordsAt, sorted, upTo, windowChanged } from "./scripted-group.js";

describe("Consumption.stop()", () => {
  test("finishes the deliveries in hand, releases the rest, and waits for the confirmations", async () => {
    const { consume, group } = await openGroup([upTo(10)]);
    const finish: (() => void)[] = [];
    const answers: Promise<string>[] = [];
    const consumption = consume();
    const working = consumption.forEach(
      async (delivery) => {
        await new Promise<void>((resolve) => finish.push(resolve));
        answers.push(delivery.acknowledge());
      },
      { concurrency: 2 },
    );
    await expect.poll(() => finish.length).toBe(2);
    expect(consumption.outstanding).toBe(10);
    let isStopped = false;
    const stopping = consumption.stop().then(() => {
      isStopped = true;
    });
    await expect.poll(() => group.released).toEqual(upTo(8, 2));
    expect(group.said[0]?.window).toEqual({ records: 0, bytes: 0 });
    expect(isStopped).toBe(false);
    for (const resolve of finish) resolve();
    await stopping;
    await working;
    expect(await Promise.all(answers)).toEqual(["acknowledged", "acknowledged"]);
    expect(finish.length).toBe(2);
    expect(consumption.outstanding).toBe(0);
  });

  test("releases records that still arrive, before it ends its side", async () => {
    const { consume, group, call } = await openGroup([[0]], { isSilent: true });
    const consumption = consume();
    const working = consumption.forEach(() => void consumption.stop());
    await expect.poll(() => group.said.at(-1)?.window?.records).toBe(0);
    await expect.poll(() => group.acknowledged).toEqual([0]);
    expect(call().readableEnded).toBe(false);
    call().write(recordsAt([1, 2], 3));
    call().write(windowChanged(0));
    await working;
    expect(group.said.at(-1)?.release).toEqual([{ offsets: { firstOffset: 1, nextOffset: 3 }, attempt: 3 }]);
    expect(call().readableEnded).toBe(true);
  });

  test("ends a consumption that is paused", async () => {
    const { consume, group } = await openGroup([[0, 1]]);
    const consumption = consume();
    await consumption.forEach(async ({ offset }) => {
      consumption.setWindow({ records: 0, bytes: 0 });
      if (offset === 1) void consumption.stop();
      await expect.poll(() => group.said.some(({ window }) => window?.records === 0)).toBe(true);
    });
    expect(sorted(group.acknowledged)).toEqual([0, 1]);
    const paused = consume({ window: { records: 0, bytes: 0 } });
    const working = paused.forEach(() => {});
    await expect.poll(() => group.openings.length).toBe(2);
    await paused.stop();
    await working;
  });

  test("ends the wait for a server that is away", async () => {
    const { consume } = await openScript({ consume: (stream) => endWith(stream, status.UNAVAILABLE) });
    let lost = 0;
    const consumption = consume({
      backoff: { minMs: 60_000, maxMs: 60_000, random: () => 0.99 },
      onEvent() {
        lost += 1;
      },
    });
    const working = consumption.forEach(() => {});
    await expect.poll(() => lost).toBe(1);
    await consumption.stop();
    await working;
  });
});
