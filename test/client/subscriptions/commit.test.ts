import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import type { Delivery } from "../../../src/client/index.js";
import type { CommitRequest } from "../../../src/gen/millrace/v1/subscription_service.js";
import { statusWith } from "../scripted-server.js";
import { openGroup } from "./open-consumption.js";
import { upTo } from "./scripted-group.js";

describe("commit()", () => {
  const where = { topic: "out", epoch: 3, firstOffset: 5, nextOffset: 6 };

  test("sends session, attempt and outputs, and settles what was committed", async () => {
    const requests: CommitRequest[] = [];
    const { consume, client, group } = await openGroup([upTo(5)], {
      commit(request) {
        requests.push(request);
        return { appended: [where] };
      },
    });
    const consumption = consume();
    const held: Delivery[] = [];
    await consumption.forEach(
      async (delivery) => {
        if (delivery.offset === 4) {
          expect(await delivery.commit([{ topic: "out", records: [{ text: "x" }], expectedOffset: 5 }])).toEqual([
            where,
          ]);
          expect(await delivery.acknowledge()).toBe("stale");
          return;
        }
        held.push(delivery);
        if (held.length < 4) {
          await expect.poll(() => requests.length).toBe(2);
          return;
        }
        const append = [
          { topic: "a", records: [{ key: "k", json: { n: 1 } }, { data: new Uint8Array(200) }], epoch: 9 },
          { topic: "b", records: [{ text: "y" }] },
        ];
        await client.commit("s", { deliveries: held, append });
        await expect(client.commit("s", { deliveries: held, append })).rejects.toThrow("already settled");
        void consumption.stop();
      },
      { concurrency: 5 },
    );
    expect(group.acknowledged).toEqual([]);
    expect(group.rejected).toEqual([]);
    const [one, many] = [...requests].sort((a, b) => a.append.length - b.append.length);
    expect(one).toMatchObject({
      subscription: "s",
      session: 11,
      acknowledge: [{ offsets: { firstOffset: 4, nextOffset: 5 }, attempt: 1 }],
      append: [{ topic: "out", expectedOffset: 5, records: [{ body: { value: "x" } }] }],
    });
    expect(many).toMatchObject({
      acknowledge: [{ offsets: { firstOffset: 0, nextOffset: 4 }, attempt: 1 }],
      append: [
        { topic: "a", epoch: 9, records: [{ key: "k", body: { value: { n: 1 } } }, { body: { $case: "data" } }] },
        { topic: "b", records: [{ body: { value: "y" } }] },
      ],
    });
  });

  test("that failed is never followed by an acknowledgement, even if the loop's body continues", async () => {
    const { consume, group } = await openGroup([upTo(2)], { commit: () => statusWith(status.UNAVAILABLE) });
    const consumption = consume();
    for await (const delivery of consumption) {
      const committing = delivery.commit([{ topic: "out", records: [{ text: "x" }] }]);
      // The body for the second record ends before the outcome is known.
      if (delivery.offset === 0) await committing.catch(() => {});
      else {
        committing.catch(() => {});
        void consumption.stop();
      }
    }
    expect(group.acknowledged).toEqual([]);
    expect(group.rejected.map(({ offset, reason }) => [offset, reason])).toEqual([
      [0, "scripted"],
      [1, "scripted"],
    ]);
  });

  test("refuses what every server would refuse", async () => {
    const { consume, client } = await openGroup([[0]]);
    const other = await openGroup([[0]]);
    let both: Delivery | undefined;
    for await (const delivery of consume()) {
      both = delivery;
      await expect(client.commit("s", { deliveries: [], append: [] })).rejects.toThrow("acknowledge");
      await expect(client.commit("other", { deliveries: [delivery], append: [] })).rejects.toThrow("subscription");
      await expect(delivery.commit([{ topic: "t", records: [{ key: "\u0000" }] }])).rejects.toThrow(
        "append[0].records[0].key",
      );
      await delivery.release();
      break;
    }
    await expect(both?.commit([])).rejects.toThrow("already settled");
    for await (const delivery of other.consume({}, { topic: "t" })) {
      await expect(delivery.commit([])).rejects.toThrow("ephemeral");
      break;
    }
  });
});
