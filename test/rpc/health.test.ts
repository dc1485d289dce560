import { type MethodDefinition, status } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { callUnary, closeAll, drainStream, startServer } from "./rpc-server.js";

afterEach(closeAll);

function shape(method: string): MethodDefinition<object, object> {
  const found = service[method];
  if (found === undefined) throw new Error(`There is no ${method}`);
  return found;
}

describe("health", () => {
  for (const name of ["", "millrace.v1.RecordService", "grpc.health.v1.Health"]) {
    test(`reports that ${name === "" ? "the server" : name} serves`, async () => {
      const { client } = await startServer({});
      expect(await callUnary(client, shape("Check"), { service: name })).toMatchObject({ status: "SERVING" });
    });
  }

  test("does not know other services", async () => {
    const { client } = await startServer({});
    expect(await callUnary(client, shape("Check"), { service: "no.Service" })).toMatchObject({
      code: status.NOT_FOUND,
    });
  });

  test("lists all services", async () => {
    const { client } = await startServer({});
    expect(await callUnary(client, shape("List"), {})).toMatchObject({
      statuses: { "": { status: "SERVING" }, "millrace.v1.TopicService": { status: "SERVING" } },
    });
  });

  test("is logged at debug level", async () => {
    const { client, logger } = await startServer({});
    await callUnary(client, shape("Check"), { service: "" });
    await vi.waitFor(() => expect(logger.lines).toMatchObject([{ level: "debug", text: "call" }]));
  });

  test("reports to watchers that the node drains, before their streams end", async () => {
    const { client, server } = await startServer({});
    const { path, requestSerialize, responseDeserialize } = shape("Watch");
    const watch = (name: string) => {
      const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: name });
      return { stream, result: drainStream(stream), first: new Promise((resolve) => stream.once("data", resolve)) };
    };
    const [known, unknown] = [watch("millrace.v1.RecordService"), watch("no.Service")];
    await Promise.all([known.first, unknown.first]);
    expect(await server.drain(10_000)).toEqual({ wasForced: false });
    expect(await known.result).toMatchObject({
      messages: [{ status: "SERVING" }, { status: "NOT_SERVING" }],
      error: { code: status.UNAVAILABLE },
    });
    expect(await unknown.result).toMatchObject({ error: { code: status.UNAVAILABLE } });
  });
});
