import { type ClientDuplexStream, status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { defaultLimits, noRetention } from "../../src/core/index.js";
import type { Engine } from "../../src/engine/index.js";
import { AppendRequest } from "../../src/gen/millrace/v1/record_service.js";
import {
  type Feature,
  type Point,
  RouteGuideService as Shapes,
  type RouteNote,
} from "../../src/gen/routeguide/route_guide.js";
import { routeGuideService } from "../../src/rpc/route-guide/route-guide-service.js";
import { keyOfPoint, pointOfKey } from "../../src/rpc/route-guide/route-point.js";
import { distanceBetween } from "../../src/rpc/route-guide/route-summary.js";
import { systemClock } from "../../src/telemetry/index.js";
import { splitRequest } from "../../src/wire/index.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { openTestEngine } from "../support/open-engine.js";
import { closeAll, drainStream, errorInfo, type MethodServer, startMethods } from "./rpc-server.js";

/** Cases that `test/e2e/route-guide.test.ts`, which uses a foreign client, does not cover. */

const noLimits = { recordBytes: 0, batchRecords: 0, batchBytes: 0 };

let database: TestDatabase;
let engine: Engine;
let server: MethodServer;
let topics = 0;

beforeAll(async () => {
  database = await createTestDatabase("embedded");
  ({ engine } = await openTestEngine(await database.openStore()));
});
beforeEach(async () => {
  topics += 1;
  const names = { features: `features/${topics}`, notes: `notes/${topics}` };
  const limits = { ...defaultLimits, routeGuideHistory: 4, routeGuidePlaces: 3 };
  server = await startMethods((calls) =>
    routeGuideService(calls, { engine, limits, clock: systemClock, topics: names }),
  );
});
afterEach(closeAll);
afterAll(async () => {
  await engine.close();
  await database.drop();
});

type ChatCall = ClientDuplexStream<RouteNote, RouteNote>;

function chat(): ChatCall {
  const { path, requestSerialize, responseDeserialize } = Shapes.routeChat;
  return server.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
}

const note = (message: string, longitude = 0): RouteNote => ({ location: { latitude: 0, longitude }, message });

/** Sends notes and receives the notes that answer them. */
async function say(...notes: readonly RouteNote[]): Promise<string[]> {
  const call = chat();
  const heard = drainStream<RouteNote>(call);
  for (const each of notes) call.write(each);
  call.end();
  const { messages, error } = await heard;
  expect(error).toBeUndefined();
  return messages.map(({ message }) => message);
}

describe("RouteChat", () => {
  test("searches only the newest notes for earlier ones", async () => {
    expect(await say(note("a"), note("b", 1), note("c"), note("d", 1))).toEqual(["a", "b"]);
    expect(await say(note("e"))).toEqual(["a", "c"]);
    // Of a, b, c, d and e, the newest four are searched.
    expect(await say(note("f"))).toEqual(["c", "e"]);
  });

  test("refuses a note at one place too many", async () => {
    const call = chat();
    const heard = drainStream<RouteNote>(call);
    for (let longitude = 0; longitude <= 3; longitude++) call.write(note("here", longitude));
    expect(await heard).toMatchObject({
      error: { code: status.INVALID_ARGUMENT, details: expect.stringMatching(/^location: .* at 3 places/) as string },
    });
  });

  test("refuses a message that is not UTF-8, and takes any that is", async () => {
    const call = server.client.makeBidiStreamRequest(Shapes.routeChat.path, (bytes: Buffer) => bytes, String);
    const heard = drainStream(call);
    call.write(Buffer.from([0x12, 2, 0x61, 0xff]));
    expect(await heard).toMatchObject({
      error: { code: status.INVALID_ARGUMENT, details: "message: is not UTF-8" },
    });
    expect(await say(note("\ufffd\u0000"), note(""), note("end"))).toEqual(["\ufffd\u0000", ""]);
  });

  test("refuses a message that no record can hold", async () => {
    const call = chat();
    const heard = drainStream<RouteNote>(call);
    call.write(note("x".repeat(defaultLimits.recordBytes)));
    expect(await heard).toMatchObject({
      error: { code: status.INVALID_ARGUMENT, details: expect.stringMatching(/^message: has \d+ bytes/) as string },
    });
    const largest = "x".repeat(defaultLimits.recordBytes - 256);
    expect(await say(note(largest), note("end"))).toEqual([largest]);
  });

  test("leaves no stream and no follower of the topic behind", async () => {
    await say(note("a"));
    const cancelled = chat();
    cancelled.on("error", () => undefined);
    cancelled.write(note("b"));
    await new Promise((resolve) => cancelled.once("data", resolve));
    expect(server.liveStreams.size).toBe(1);
    cancelled.cancel();
    await vi.waitFor(() => expect(server.liveStreams.size).toBe(0));
    await server.calls.tasks.settled(AbortSignal.timeout(1000));
  });

  test("ends at once in a drain", async () => {
    const call = chat();
    const heard = drainStream<RouteNote>(call);
    call.write(note("a"));
    call.write(note("b"));
    await new Promise((resolve) => call.once("data", resolve));
    server.calls.drain();
    const { messages, error } = await heard;
    expect(messages.map(({ message }) => message)).toEqual(["a"]);
    expect(error && errorInfo(error)).toMatchObject({ reason: "DRAINING" });
  });

  test("reports that its topic was deleted", async () => {
    const call = chat();
    const heard = drainStream<RouteNote>(call);
    call.write(note("a"));
    call.write(note("b"));
    await new Promise((resolve) => call.once("data", resolve));
    await engine.topics.delete(`notes/${topics}`, 0);
    expect(await heard).toMatchObject({ error: { code: status.NOT_FOUND } });
  });
});

describe("ListFeatures", () => {
  async function createTopic(keyed: boolean): Promise<string> {
    const name = `features/${topics}`;
    await engine.topics.create({ name, labels: new Map(), limits: noLimits, keyed, retention: noRetention });
    return name;
  }

  function list(lo: Point | undefined, hi: Point | undefined) {
    const { path, requestSerialize, responseDeserialize } = Shapes.listFeatures;
    return drainStream<Feature>(
      server.client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { lo, hi }),
    );
  }

  test("compares keys exactly, and leaves out records that are not features", async () => {
    const topic = await createTopic(true);
    // Published with rounded degrees.
    const records = [
      { key: "10,0", text: "lower edge", units: 9.7 },
      { key: "12,0", text: "upper edge", units: 12.4 },
      { key: "9,0", text: "below", units: 9 },
      { key: "13,0", text: "above", units: 13 },
      { key: "11,0", text: "", units: 11 },
      { key: "Paris", text: "at no place", units: 11 },
    ].map(({ key, text, units }) => ({
      key,
      body: { $case: "text" as const, value: text },
      location: { latitude: units / 1e7, longitude: 0 },
    }));
    const request = AppendRequest.encode(AppendRequest.fromPartial({ records })).finish();
    const { batch } = splitRequest(request, defaultLimits);
    await engine.append({ topic, batch, expectedOffset: undefined, producer: undefined, epoch: 0 });
    expect(await list({ latitude: 12, longitude: 5 }, { latitude: 10, longitude: -5 })).toEqual({
      messages: [
        { name: "lower edge", location: { latitude: 10, longitude: 0 } },
        { name: "upper edge", location: { latitude: 12, longitude: 0 } },
      ],
      error: undefined,
    });
  });

  test("reports that its topic keeps no state", async () => {
    await createTopic(false);
    expect(await list(undefined, undefined)).toMatchObject({ error: { code: status.FAILED_PRECONDITION } });
  });
});

describe("places", () => {
  test("have one key each", () => {
    for (const point of [
      { latitude: 0, longitude: 0 },
      { latitude: -900_000_000, longitude: 1_800_000_000 },
      { latitude: 407_838_351, longitude: -746_143_763 },
    ]) {
      expect(pointOfKey(keyOfPoint(point))).toEqual(point);
    }
    for (const key of ["", "1", "1,2,3", "01,2", "-0,0", "1.5,2", " 1,2", "900000001,0", "0,-1800000001", "Paris"]) {
      expect(pointOfKey(key)).toBeUndefined();
    }
  });

  test("have the distances of a sphere", () => {
    const degree = 10_000_000;
    const quarter = (Math.PI / 2) * 6_371_000;
    const origin = { latitude: 0, longitude: 0 };
    expect(distanceBetween(origin, origin)).toBe(0);
    expect(distanceBetween(origin, { latitude: 0, longitude: 90 * degree })).toBeCloseTo(quarter, 3);
    expect(distanceBetween(origin, { latitude: 0, longitude: 180 * degree })).toBeCloseTo(2 * quarter, 3);
    expect(
      distanceBetween({ ...origin, longitude: 179 * degree }, { ...origin, longitude: -179 * degree }),
    ).toBeCloseTo(quarter / 45, 3);
    expect(
      distanceBetween({ latitude: 90 * degree, longitude: 0 }, { latitude: -90 * degree, longitude: 55 }),
    ).toBeCloseTo(2 * quarter, 3);
  });
});
