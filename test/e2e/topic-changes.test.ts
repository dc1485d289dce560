import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { killServerProcesses } from "../support/server-process.js";
import { fill, Followed, history, holdInHistory, type Nodes, places, startNodes } from "./topic-changes.js";

// `make soak` has all places.
describe.each(places.filter((place) => place === "another node"))("topics changed on %s", (place) => {
  let nodes: Nodes;
  let topic = "";
  let topics = 0;
  /** The followers of each test: one stalled in history, one live. */
  let stalled: Followed;
  let live: Followed;
  let over: Promise<void>;

  beforeAll(async () => {
    nodes = await startNodes(place);
  });
  afterAll(async () => {
    await nodes?.close();
    await killServerProcesses();
  });
  beforeEach(async () => {
    topic = `changed/${(topics += 1)}`;
    await fill(nodes.changing, topic, "first");
    stalled = await holdInHistory(nodes.following, topic);
    live = new Followed(nodes.following, topic);
    ({ over } = await live.goLive());
    expect(live.nextOffset).toBe(history);
  });
  afterEach(async () => {
    await Promise.all([stalled.close(), live.close()]);
    await over;
  });

  test("trim, beyond a follower in history, ends it with the kept offsets, and does not affect the live one", async () => {
    await nodes.changing.topics.trim(topic, history - 10);
    await stalled.toEnd();
    expect(stalled.end).toEqual({ code: "OUT_OF_RANGE", reason: "OFFSET_OUT_OF_RANGE" });
    expect(stalled.metadata).toMatchObject({ earliest_offset: String(history - 10), next_offset: String(history) });
    expect(stalled.nextOffset).toBeLessThan(history - 10);
    await nodes.changing.append(topic, [{ text: "first - after the trim" }]);
    await live.reaches(history + 1);
    expect(live.end).toBe("open");
  });

  test("trim, beyond a follower that asked to skip, reports exactly what it missed", async () => {
    const skipping = await holdInHistory(nodes.following, topic, { whenTrimmed: "skip" });
    const { nextOffset } = skipping;
    await nodes.changing.topics.trim(topic, history - 10);
    const rest = skipping.goLive();
    await rest;
    const skipped = skipping.events.filter(({ type }) => type === "skipped");
    expect(skipped).toEqual([
      { type: "skipped", firstOffset: expect.any(Number), nextOffset: history - 10, reason: "trimmed" },
    ]);
    expect(skipping.seen).toBeGreaterThanOrEqual(nextOffset + 10);
    expect(skipping.nextOffset).toBe(history);
    await skipping.close();
  });

  test("trim, up to the end, does not affect a live follower", async () => {
    await nodes.changing.topics.trim(topic, history);
    await nodes.changing.append(topic, [{ text: "first - after the trim" }]);
    await live.reaches(history + 1);
    expect(live.end).toBe("open");
    expect(live.events.map(({ type }) => type)).not.toContain("skipped");
  });

  test("close delivers the rest to followers in history, and then informs each", async () => {
    await nodes.changing.topics.close(topic);
    await Promise.all([stalled.toEnd(), over]);
    for (const followed of [stalled, live]) {
      expect(followed.end).toBe("ended");
      expect(followed.nextOffset).toBe(history);
      expect(followed.events.at(-1)).toMatchObject({ type: "closed", position: { offset: history } });
    }
  });

  test("delete ends followers in history and live ones with NOT_FOUND", async () => {
    await nodes.changing.topics.delete(topic);
    await Promise.all([stalled.toEnd(), over]);
    for (const followed of [stalled, live]) {
      expect(followed.end).toEqual({ code: "NOT_FOUND", reason: "TOPIC_DELETED" });
    }
    expect(stalled.nextOffset).toBeLessThan(history);
  });

  test("delete and create end followers of the first incarnation, which see nothing of the second", async () => {
    await nodes.changing.topics.delete(topic);
    await fill(nodes.changing, topic, "second");
    await Promise.all([stalled.toEnd(), over]);
    for (const followed of [stalled, live]) {
      expect(followed.end).toEqual({ code: "NOT_FOUND", reason: "TOPIC_DELETED" });
      expect([...followed.incarnations]).toEqual(["first"]);
    }
  });

  test("delete and create while a follower's server is down refuse its old position", async () => {
    const { epoch } = await nodes.changing.topics.get(topic);
    await nodes.killFollowed();
    await nodes.changing.topics.delete(topic, { timeoutMs: 10_000 });
    await fill(nodes.changing, topic, "second");
    await stalled.toEnd();
    expect(stalled.end).toEqual({ code: "FAILED_PRECONDITION", reason: "EPOCH_MISMATCH" });
    expect(Number(stalled.metadata["epoch"])).not.toBe(epoch);
    expect([...stalled.incarnations]).toEqual(["first"]);
    await over;
    // It returned before the delete, or after it.
    expect([
      { code: "NOT_FOUND", reason: "TOPIC_DELETED" },
      { code: "NOT_FOUND", reason: "TOPIC_NOT_FOUND" },
      { code: "FAILED_PRECONDITION", reason: "EPOCH_MISMATCH" },
    ]).toContainEqual(live.end);
    expect([...live.incarnations]).toEqual(["first"]);
  });
});
