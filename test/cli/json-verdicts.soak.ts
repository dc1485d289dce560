/** Compares `buf curl` with `millrace call`: what each accepts, refuses and sends. */

import { execFile } from "node:child_process";
import { isDeepStrictEqual, promisify } from "node:util";
import { fromBinary, toJson } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { messageFromJson } from "../../src/cli/json-message.js";
import { findMethod, loadTypes } from "../../src/cli/load-methods.js";
import { jsonInputs } from "./echo/json-inputs.js";

const proto = new URL("echo/echo.proto", import.meta.url).pathname;
const buf = new URL("../../node_modules/.bin/buf", import.meta.url).pathname;
let server: Server;
let address = "";
const said: Buffer[] = [];

beforeAll(async () => {
  server = new Server();
  const bytes = (value: Buffer): Buffer => value;
  const definition = {
    path: "/echo.Echo/Say",
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  server.addService(
    { Say: definition },
    {
      Say: (call: { request: Buffer }, callback: (error: null, value: Buffer) => void) => {
        said.push(call.request);
        callback(null, call.request);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  address = `127.0.0.1:${port}`;
});
afterAll(() => server?.forceShutdown());

/** The bytes that it sent; undefined if it refused. */
async function sentByBuf(json: string): Promise<Buffer | undefined> {
  said.length = 0;
  const args = ["curl", "--schema", proto, "--protocol", "grpc", "--http2-prior-knowledge", "-d", json];
  await promisify(execFile)(buf, [...args, `http://${address}/echo.Echo/Say`]).catch(() => undefined);
  return said[0];
}

test("every verdict of the table is that of buf curl, and both send the same bytes", { timeout: 600_000 }, async () => {
  const types = await loadTypes(proto);
  const { input } = findMethod(types, "echo.Echo/Say").method;
  const shown = (bytes: Uint8Array) => toJson(input, fromBinary(input, bytes), { registry: types });
  const differences: unknown[] = [];
  for (const { json, isRight, buf: otherwise } of jsonInputs) {
    const sent = await sentByBuf(json);
    if ((sent !== undefined) !== (otherwise?.isRight ?? isRight)) differences.push({ json, buf: sent !== undefined });
    if (!isRight || sent === undefined) continue;
    const [ours, theirs] = [messageFromJson(types, input, { text: json, where: "it" }), sent].map(shown);
    if (!isDeepStrictEqual(ours, theirs)) differences.push({ json, ours, theirs });
  }
  expect(differences).toEqual([]);
  console.log(`${jsonInputs.length} inputs`);
});
