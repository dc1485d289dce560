import { status } from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import type { QueueDepth } from "../../src/core/index.js";
import { InspectServiceService, Queue_Kind } from "../../src/gen/millrace/v1/inspect_service.js";
import { callUnary, closeAll, startServer } from "./rpc-server.js";

afterEach(closeAll);

test("queues are listed in pages, even if some are added and removed between pages", async () => {
  const ofTopic = (name: string): QueueDepth[] => [
    { kind: "publish", name, depth: 1, capacity: 10 },
    { kind: "tail", name, depth: 2, capacity: 20 },
  ];
  const lanes = ["append", "history", "live"].map(
    (name): QueueDepth => ({ kind: "lane", name, depth: 0, capacity: 100 }),
  );
  let topics = ["a", "a/b", "a-b", "c"];
  const { client } = await startServer({
    listQueues: (topic) => (topic === undefined ? [...lanes, ...topics.toSorted().flatMap(ofTopic)] : ofTopic(topic)),
  });
  const list = async (topic: string, pageSize: number, pageToken: string) => {
    const answer = await callUnary(client, InspectServiceService.listQueues, { topic, pageSize, pageToken });
    if (answer instanceof Error) throw answer;
    return answer;
  };
  expect(await list("c", 0, "")).toEqual({
    queues: [
      { kind: Queue_Kind.PUBLISH, name: "c", depth: 1, capacity: 10 },
      { kind: Queue_Kind.TAIL, name: "c", depth: 2, capacity: 20 },
    ],
    nextPageToken: "",
  });
  const all = await list("", 0, "");
  expect(all.queues.map(({ name }) => name)).toEqual(
    ["append", "history", "live"].concat(["a", "a-b", "a/b", "c"].flatMap((name) => [name, name])),
  );
  const seen: string[] = [];
  let pageToken = "";
  do {
    const page = await list("", 2, pageToken);
    seen.push(...page.queues.map(({ kind, name }) => `${Queue_Kind[kind]} ${name}`));
    ({ nextPageToken: pageToken } = page);
    // A listed topic is removed, and a new one is added.
    if (seen.length === 6) topics = ["a-b", "a/b", "b", "c"];
  } while (pageToken !== "");
  expect(seen).toEqual([
    "LANE append",
    "LANE history",
    "LANE live",
    ...["a", "a-b", "a/b", "b", "c"].flatMap((name) => [`PUBLISH ${name}`, `TAIL ${name}`]),
  ]);
  await expect(list("", 0, "x")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});
