import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import type { ConsumeEvent, Delivery } from "../../../src/client/index.js";
import { type ConsumeCall, endWith } from "../scripted-server.js";
import { openScript } from "./open-consumption.js";
import { eventMessage, recordsAt, scriptedGroup, startedAt } from "./scripted-group.js";

describe("a consumption whose call ends", () => {
  test("ends with OK after `closed`, and throws a permanent failure", async () => {
    const seen: string[] = [];
    const { consume } = await openScript({
      consume(stream) {
        stream.write(startedAt(0));
        stream.write(eventMessage({ $case: "closed", value: {} }));
        stream.end();
      },
    });
    for await (const { offset } of consume({ onEvent: ({ type }) => seen.push(type) })) seen.push(String(offset));
    expect(seen).toEqual(["started", "closed"]);

    const refusals = {
      NotFoundError: [status.NOT_FOUND, "SUBSCRIPTION_NOT_FOUND"],
      FailedPreconditionError: [status.FAILED_PRECONDITION, "CONSUMER_FENCED"],
      ClientError: [status.RESOURCE_EXHAUSTED, "CONSUMER_LIMIT"],
      DataLossError: [status.DATA_LOSS, "DATA_LOSS"],
    } as const;
    for (const [name, [code, reason]] of Object.entries(refusals)) {
      const refusing = await openScript({
        consume(stream) {
          stream.write(startedAt(0));
          stream.write(recordsAt([0]), () => setImmediate(() => endWith(stream, code, { reason })));
        },
      });
      const consumption = refusing.consume();
      let held: Delivery | undefined;
      const looping = async () => {
        for await (const delivery of consumption) {
          held = delivery;
          await new Promise((resolve) => delivery.signal.addEventListener("abort", resolve));
        }
      };
      await expect(looping()).rejects.toMatchObject({ name, reason });
      expect(held?.signal.aborted).toBe(true);
      expect(await held?.acknowledge()).toBe("stale");
      await consumption.stop();
    }
  });

  test("reconnects after every kind of lost connection; deliveries in hand are lost", async () => {
    const ends: ((stream: ConsumeCall) => void)[] = [
      (stream) => endWith(stream, status.UNAVAILABLE),
      (stream) => endWith(stream, status.CANCELLED),
      () => server.breakConnections(),
      (stream) => stream.end(),
    ];
    const group = scriptedGroup();
    const events: ConsumeEvent["type"][] = [];
    const { server, consume } = await openScript({
      consume(stream, call) {
        group.serve(stream, () => {
          stream.write(startedAt(0));
          stream.write(recordsAt([call, 100 + call], 1 + call));
        });
        // The second record is never confirmed.
        stream.on("data", ({ acknowledge }) => {
          if (acknowledge.length > 0 && call < 4) setImmediate(() => ends[call]?.(stream));
        });
      },
    });
    const lost: number[] = [];
    const answers: (string | undefined)[] = [];
    const attempts: number[] = [];
    const consumption = consume({ consumer: "me", onEvent: ({ type }) => events.push(type) });
    for await (const delivery of consumption) {
      attempts.push(delivery.attempt);
      if (delivery.offset < 100) continue;
      if (delivery.offset === 104) {
        await delivery.acknowledge();
        break;
      }
      await new Promise((resolve) => delivery.signal.addEventListener("abort", resolve));
      lost.push(delivery.offset);
      answers.push(await delivery.acknowledge());
    }
    expect(lost).toEqual([100, 101, 102, 103]);
    expect(answers).toEqual(Array.from(lost, () => "stale"));
    expect(attempts).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect(events.filter((type) => type === "reconnecting").length).toBeGreaterThanOrEqual(4);
    expect(group.openings.every(({ subscription, consumer }) => subscription === "s" && consumer === "me")).toBe(true);
  });
});

describe("an ephemeral consumer whose call ends", () => {
  test("resumes at the first offset that is not confirmed", async () => {
    const group = scriptedGroup();
    const { consume } = await openScript({
      consume(stream, call) {
        group.serve(stream, () => {
          stream.write(startedAt(call === 0 ? 40 : 42, { session: 0 }));
          stream.write(recordsAt(call === 0 ? [40, 41, 42, 43] : [42, 43]));
        });
        if (call > 0) return;
        stream.on("data", ({ acknowledge }) => {
          if (acknowledge.length > 0) setImmediate(() => endWith(stream, status.UNAVAILABLE));
        });
      },
    });
    const seen: string[] = [];
    for await (const delivery of consume({}, { topic: "t", start: { offset: 40 } })) {
      seen.push(`${delivery.offset}`);
      if (seen.length === 3) {
        // 40 and 41 are done; 43 is done too, but 42 is not.
        await new Promise((resolve) => delivery.signal.addEventListener("abort", resolve));
      }
      if (seen.length === 5) break;
    }
    expect(seen).toEqual(["40", "41", "42", "42", "43"]);
    expect(group.openings.map(({ topic, subscription, start }) => [topic, subscription, start?.at?.$case])).toEqual([
      ["t", "", "offset"],
      ["t", "", "position"],
    ]);
    expect(group.openings[1]?.start?.at).toMatchObject({ value: { epoch: 7, offset: 42 } });
  });
});
