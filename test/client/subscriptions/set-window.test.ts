import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { endWith } from "../scripted-server.js";
import { openGroup, openScript } from "./open-consumption.js";
import { recordsAt, scriptedGroup, sorted, startedAt, windowChanged } from "./scripted-group.js";

describe("setWindow()", () => {
  test("is sent during a call, and opens the next call", async () => {
    const group = scriptedGroup();
    const { consume } = await openScript({
      consume(stream, call) {
        group.serve(stream, () => {
          stream.write(startedAt(0));
          stream.write(recordsAt([call]));
        });
        stream.on("data", ({ window }) => {
          if (window?.records === 5) endWith(stream, status.UNAVAILABLE);
        });
      },
    });
    const consumption = consume({ window: { records: 3 } });
    expect(consumption.window).toEqual({ records: 3, bytes: 4_194_304 });
    expect(() => consumption.setWindow({ records: -1 })).toThrow("window.records");
    expect(() => consumption.setWindow({ bytes: 65 * 1_048_576 })).toThrow("window.bytes");
    for await (const { offset } of consumption) {
      if (offset === 0) consumption.setWindow({ records: 5 });
      else break;
    }
    expect(group.openings.map(({ window }) => window)).toEqual([
      { records: 3, bytes: 4_194_304 },
      { records: 5, bytes: 4_194_304 },
    ]);
  });

  test("stays what the user asked for when the server grants less", async () => {
    const { consume, group, call } = await openGroup([[0, 1, 2]]);
    const granted: (number | string)[] = [];
    const consumption = consume({
      window: { records: 100 },
      onEvent: (event) => granted.push(event.type === "window-changed" ? event.window.records : event.type),
    });
    for await (const { offset } of consumption) {
      if (offset === 0) call().write(windowChanged(2));
      // Like a node without free memory.
      if (offset === 1) call().write(windowChanged(0));
      await expect.poll(() => granted.length).toBe(Math.min(offset, 1) + 2);
      expect(consumption.window.records).toBe(100);
      if (offset === 2) void consumption.stop();
    }
    expect(sorted(group.acknowledged)).toEqual([0, 1, 2]);
    expect(group.released).toEqual([]);
    expect(granted).toEqual(["started", 2, 0, 0]);
  });
});
