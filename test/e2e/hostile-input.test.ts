import { type Client, type ServiceError, status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { RecordServiceService } from "../../src/gen/millrace/v1/record_service.js";
import { createClient, InvalidArgumentError, type MillraceClient, type ReceivedRecord } from "../../src/index.js";
import { callUnary, closeAll, openClient, rawMethod } from "../rpc/rpc-server.js";
import { createTestDatabase, onEmbedded, type TestDatabase } from "../support/database.js";
import {
  databaseArguments,
  killServerProcesses,
  type ServerProcess,
  startServerProcess,
} from "../support/server-process.js";
import { refusalOf } from "./caller.js";
import { type AnyMethod, callWithBytes, everyMethod, fuzzRequests } from "./fuzz-requests.js";

/** Any input is refused before anything is written, or accepted unchanged, and the server survives (invariant 7). */

afterAll(killServerProcesses);

// What ends the embedded database would end the node with it.
describe.each(onEmbedded)("on %s", (kind) => {
  let database: TestDatabase;
  let server: ServerProcess;
  let raw: Client;
  let client: MillraceClient;

  // One server gets everything: what one input left behind would show in the next.
  beforeAll(async () => {
    database = await createTestDatabase(kind);
    server = await startServerProcess([
      ..."--listen 127.0.0.1:0 --log-level error".split(" "),
      ...databaseArguments(database.connection),
    ]);
  });
  beforeEach(() => {
    raw = openClient(server.address);
    client = createClient({ address: server.address });
  });
  afterEach(async () => {
    // A normal call works, and no call is left.
    const { firstOffset, epoch } = await client.append("normal", [{ text: "normal" }]);
    const records = [];
    for await (const record of client.read("normal", { start: { position: { epoch, offset: firstOffset } } })) {
      records.push(record.text);
    }
    expect(records).toEqual(["normal"]);
    await vi.waitFor(async () => expect(await liveStreams()).toEqual([]));
    client.close();
    await closeAll();
  });
  afterAll(async () => {
    expect(server.log).toEqual([]);
    expect(await server.stop()).toBe(0);
    await database.drop();
  });

  async function liveStreams(): Promise<string[]> {
    const methods: string[] = [];
    for await (const { method } of client.liveStreams()) methods.push(method);
    return methods;
  }

  async function append(request: Uint8Array): Promise<ServiceError> {
    const got = await callUnary(raw, rawMethod(RecordServiceService.append.path), Buffer.from(request));
    if (got instanceof Error) return got as ServiceError;
    throw new Error("The request was taken");
  }

  test("300 requests of any bytes, on every method, cause no fault, and damage no topic", async () => {
    await fuzzRequests(raw, server.address, 300);
  });

  test("a message of 4 MiB and a byte is RESOURCE_EXHAUSTED on every method, first or later", async () => {
    const tooLarge = Buffer.alloc(4 * 1024 * 1024 + 1);
    for (const method of everyMethod) {
      expect(status[await callWithBytes(raw, method, [tooLarge])], method.path).toBe("RESOURCE_EXHAUSTED");
    }
    const publish = everyMethod.find(({ path }) => path === RecordServiceService.publish.path) as AnyMethod;
    const opening = field(1, Buffer.from("large"));
    expect(status[await callWithBytes(raw, publish, [opening, tooLarge])]).toBe("RESOURCE_EXHAUSTED");
  });

  /** Bytes that are not text, or text that the database cannot store. */
  const badTexts: [what: string, bytes: Buffer][] = [
    ["U+0000", Buffer.from("a\u0000b")],
    ["a lone high surrogate", Buffer.from([0x61, 0xed, 0xa0, 0x80])],
    ["a lone low surrogate", Buffer.from([0xed, 0xb0, 0x80, 0x61])],
    ["a surrogate pair in two", Buffer.from([0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80])],
    ["a stray byte", Buffer.from([0x61, 0xff])],
    ["half a character", Buffer.from([0xf0, 0x9f, 0x9a])],
    ["an overlong form", Buffer.from([0xc0, 0x80])],
  ];

  test.each(badTexts)("%s is refused wherever there is text, and names its field", async (_, bytes) => {
    const isNul = bytes.includes(0);
    const places: [field: string, record: Buffer, takesNul?: boolean][] = [
      ["records[0].key", field(1, bytes)],
      ["records[0].attributes.key", field(2, Buffer.concat([field(1, bytes), field(2, Buffer.from("v"))]))],
      ["records[0].attributes.value", field(2, Buffer.concat([field(1, Buffer.from("n")), field(2, bytes)]))],
      ["records[0].text", field(4, bytes), true],
      ["records[0].json", field(5, structField(bytes, field(3, Buffer.from("v")))), true],
      ["records[0].json", field(5, structField(Buffer.from("n"), field(3, bytes))), true],
      ["records[0].message.type_url", field(6, field(1, bytes))],
    ];
    for (const [name, record, takesNul = false] of places) {
      if (isNul && takesNul) continue;
      const request = Buffer.concat([field(1, Buffer.from("texts")), field(2, record)]);
      const { code, fields } = refusalOf(await append(request));
      expect([code, fields?.[0]?.slice(0, name.length)]).toEqual(["INVALID_ARGUMENT", name]);
    }
    const topic = refusalOf(await append(Buffer.concat([field(1, bytes), field(2, Buffer.alloc(0))])));
    expect(topic).toMatchObject({ code: "INVALID_ARGUMENT", fields: ["topic"] });
    const producer = Buffer.concat([
      field(1, Buffer.from("texts")),
      field(2, Buffer.alloc(0)),
      field(4, field(1, bytes)),
    ]);
    expect(refusalOf(await append(producer))).toMatchObject({ code: "INVALID_ARGUMENT", fields: ["producer.id"] });
    // Nothing was written, not even the topic.
    await expect(client.topics.get("texts")).rejects.toThrow("There is no topic");
  });

  test("a lone surrogate is refused by the client before it is sent, and names its field", async () => {
    const lone = "a\ud800";
    const inputs = [
      { key: lone },
      { attributes: { [lone]: "v" } },
      { attributes: { n: lone } },
      { text: lone },
      { json: { [lone]: 1 } },
      { json: { n: [lone] } },
    ];
    for (const input of inputs) {
      await expect(client.append("surrogates", [input])).rejects.toThrow(InvalidArgumentError);
    }
    await expect(client.append(lone, [{}])).rejects.toThrow(InvalidArgumentError);
    await expect(client.topics.create("surrogates", { labels: { n: lone } })).rejects.toThrow(InvalidArgumentError);
    await expect(client.topics.get("surrogates")).rejects.toThrow("There is no topic");
  });

  test("names of object properties, and U+0000 in bodies, are returned unchanged", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "\ufeff", "🚂"];
    const sent = names.map((name) => {
      const json = JSON.parse(`{"${name}":{"${name}":[{"${name}":"\\u0000"}]},"plain":"\\u0000"}`) as object;
      return { key: name, attributes: new Map([[name, name]]), json };
    });
    await client.append("names", sent);
    const publisher = client.publisher("names");
    await publisher.publishAll(sent);
    await publisher.close();
    await client.append("names", [{ text: "\u0000" }]);
    const expected = [...sent, ...sent].map(({ key, attributes, json }) => [
      key,
      [...attributes],
      JSON.stringify(json),
    ]);
    const content = (record: ReceivedRecord) => [record.key, [...record.attributes], JSON.stringify(record.json)];
    for (const stream of [client.read("names"), client.follow("names", { start: "earliest" })]) {
      const got: unknown[] = [];
      for await (const record of stream) {
        if (record.text !== undefined) {
          expect(record.text).toBe("\u0000");
          break;
        }
        got.push(content(record));
      }
      expect(got).toEqual(expected);
    }
    const { labels } = await client.topics.create("named", {
      labels: new Map(names.slice(0, 4).map((name) => [name, name])),
    });
    expect([...labels].sort()).toEqual(
      names
        .slice(0, 4)
        .sort()
        .map((name) => [name, name]),
    );
    expect(({} as Record<string, unknown>)["plain"]).toBeUndefined();
  });

  test("a deadline of a millisecond on every method ends with OK or DEADLINE_EXCEEDED, and with nothing else", async () => {
    await client.append("soon", [{ text: "x" }]);
    const opening = field(1, Buffer.from("soon"));
    const codes = new Set<string>();
    for (const method of everyMethod) {
      const calls = Array.from({ length: 20 }, () =>
        callWithBytes(raw, method, [opening], { deadline: Date.now() + 1 }),
      );
      for (const code of await Promise.all(calls)) codes.add(`${method.path}: ${status[code]}`);
    }
    // This client itself cancels a follow that has begun.
    const allowed = /: (OK|DEADLINE_EXCEEDED|CANCELLED|INVALID_ARGUMENT|ALREADY_EXISTS|NOT_FOUND)$/;
    expect([...codes].filter((code) => !allowed.test(code))).toEqual([]);
    expect([...codes].some((code) => code.endsWith("DEADLINE_EXCEEDED"))).toBe(true);
  });
});

/** A length-delimited field. */
function field(number: number, content: Uint8Array): Buffer {
  if (content.length > 127) throw new Error("Only short fields are written here");
  return Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content]);
}

/** A Struct with one field: a name, and an encoded Value. */
function structField(name: Uint8Array, value: Uint8Array): Buffer {
  return field(1, Buffer.concat([field(1, name), field(2, value)]));
}
