import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { MethodContext } from "../../src/rpc/method.js";
import { unary } from "../../src/rpc/unary.js";
import { systemClock } from "../../src/telemetry/index.js";
import { callUnary, closeAll, type MethodServer, rawMethod, startMethods, textShape } from "./rpc-server.js";

afterEach(closeAll);

const path = "/test.Texts/Answer";

function start(handle: (request: string, context: MethodContext) => Promise<string>): Promise<MethodServer> {
  return startMethods((calls) => [unary(calls, { path, ...textShape }, handle)]);
}

async function ask({ client }: MethodServer, text: string, options = {}): Promise<string | ServiceError> {
  const answer = await callUnary(client, rawMethod(path), Buffer.from(text), options);
  return answer instanceof Error ? answer : answer.toString();
}

/** Waits until the signal aborts, and returns the reason. */
const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

describe("unary()", () => {
  test("answers, and counts and logs the call once", async () => {
    const server = await start(async (request, { stream }) => {
      stream.topic = "orders";
      return `${request}!`;
    });
    expect(await ask(server, "hello")).toBe("hello!");
    expect(await server.metrics.callsStarted.get()).toMatchObject({ values: [{ labels: { method: path }, value: 1 }] });
    expect(await server.metrics.callsEnded.get()).toMatchObject({
      values: [{ labels: { method: path, status: "OK" }, value: 1 }],
    });
    expect(server.logger.lines).toMatchObject([
      {
        level: "info",
        text: "call",
        fields: { method: path, topic: "orders", status: "OK", messagesSent: 1, bytesSent: 6, bytesReceived: 5 },
      },
    ]);
    expect(server.logger.lines[0]?.fields.peer).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  test("lists no stream", async () => {
    const server = await start(async () => String(server.liveStreams.size));
    expect(await ask(server, "")).toBe("0");
  });

  test("aborts the signal when the client cancels", async () => {
    let seen: AbortSignal | undefined;
    const server = await start((_, { signal }) => {
      seen = signal;
      return untilAborted(signal);
    });
    const call = server.client.makeUnaryRequest(
      path,
      (text: Buffer) => text,
      String,
      Buffer.from("x"),
      () => undefined,
    );
    await vi.waitFor(() => expect(seen).toBeDefined());
    call.cancel();
    await vi.waitFor(() => expect(server.logger.lines).toMatchObject([{ fields: { status: "CANCELLED" } }]));
    expect(seen?.reason).toMatchObject({ code: "call-ended" });
  });

  test("ends at its deadline, whatever its method does", async () => {
    const server = await start(() => new Promise(() => undefined));
    // Long enough for the call to arrive first, also on a busy machine.
    expect(await ask(server, "x", { deadline: Date.now() + 400 })).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    // The client's deadline may pass first, and its cancellation may arrive before the server's deadline.
    const ended = { status: expect.stringMatching(/^(DEADLINE_EXCEEDED|CANCELLED)$/) as string };
    await vi.waitFor(() => expect(server.logger.lines).toMatchObject([{ fields: ended }]));
  });

  test("keeps a deadline as a duration when the wall clock is set", async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, wallMicros: () => systemClock.wallMicros() + aheadMs * 1000 };
    let seen: AbortSignal | undefined;
    const server = await startMethods(
      (calls) => [unary(calls, { path, ...textShape }, (_, { signal }) => untilAborted((seen = signal)))],
      clock,
    );
    const call = server.client.makeUnaryRequest(
      path,
      (text: Buffer) => text,
      String,
      Buffer.from("x"),
      new Metadata(),
      { deadline: Date.now() + 600_000 },
      () => undefined,
    );
    await vi.waitFor(() => expect(seen).toBeDefined());
    aheadMs = 3_600_000;
    call.cancel();
    await vi.waitFor(() => expect(server.logger.lines).toMatchObject([{ fields: { status: "CANCELLED" } }]));
  });

  test("survives a method that throws at once", async () => {
    const server = await start(() => {
      throw new Error("secret");
    });
    expect(await ask(server, "x")).toMatchObject({ code: status.INTERNAL });
  });

  test("survives a response that cannot be encoded", async () => {
    const server = await startMethods((calls) => [
      unary(
        calls,
        {
          path,
          requestDeserialize: textShape.requestDeserialize,
          responseSerialize: () => {
            throw new Error("secret");
          },
        },
        async () => "x",
      ),
    ]);
    expect(await ask(server, "x")).toMatchObject({ code: status.INTERNAL });
  });

  test("finishes while the node drains, but does not begin", async () => {
    let finish: ((answer: string) => void) | undefined;
    const server = await start(() => new Promise((resolve) => (finish = resolve)));
    const early = ask(server, "early");
    await vi.waitFor(() => expect(finish).toBeDefined());
    server.calls.drain();
    expect(await ask(server, "late")).toMatchObject({ code: status.UNAVAILABLE });
    finish?.("done");
    expect(await early).toBe("done");
  });
});
