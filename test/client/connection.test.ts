import { createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Connection } from "../../src/client/connection.js";
import { unary } from "../../src/rpc/unary.js";
import { closeAll, type MethodServer, startMethods, textShape } from "../rpc/rpc-server.js";
import { createSimulatedClock } from "../support/simulated-clock.js";

afterEach(closeAll);

const path = "/test.Texts/Answer";
const shape = { path, requestSerialize: Buffer.from, responseDeserialize: String };

describe("Connection.waitToRetry()", () => {
  test("does not reconnect a closed connection", async () => {
    const { address } = await startMethods((all) => [unary(all, { path, ...textShape }, async (text) => text)]);
    const connection = new Connection({ address });
    expect(await connection.unary(shape, "x")).toBe("x");
    connection.close();
    await connection.waitToRetry(50);
    await expect(connection.unary(shape, "x")).rejects.toThrow("Channel has been shut down");
  });

  test("waits the whole backoff for a server that accepts connections and closes them", async () => {
    const server = createServer();
    let sessions = 0;
    server.on("session", (session: ServerHttp2Session) => {
      sessions += 1;
      session.on("stream", () => session.destroy());
    });
    server.on("sessionError", () => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const clock = createSimulatedClock();
    const { port } = server.address() as AddressInfo;
    const connection = new Connection({ address: `127.0.0.1:${port}` }, clock);
    await connection.unary(shape, "x").catch(() => undefined);
    let isOver = false;
    const waiting = connection.waitToRetry(1500).then(() => (isOver = true));
    // Wait until both sides have the connection.
    await vi.waitFor(() => expect(sessions).toBe(2));
    await connection.unary(shape, "x").catch(() => undefined);
    await clock.advance(1400);
    expect(isOver).toBe(false);
    await clock.advance(100);
    await waiting;
    connection.close();
    server.close();
  });

  test("ends early when a server that was away is back", async () => {
    const first = createServer();
    await new Promise<void>((resolve) => first.listen(0, "127.0.0.1", resolve));
    const { port } = first.address() as AddressInfo;
    await new Promise((resolve) => first.close(resolve));
    const connection = new Connection({ address: `127.0.0.1:${port}` });
    const startedMs = performance.now();
    const waiting = connection.waitToRetry(60_000);
    await expect.poll(() => performance.now() - startedMs, { timeout: 5000 }).toBeGreaterThan(1000);
    const second = createServer();
    await new Promise<void>((resolve) => second.listen(port, "127.0.0.1", resolve));
    await waiting;
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    connection.close();
    second.close();
  });
});

describe("Connection.unary()", () => {
  let calls = 0;

  async function startSilent(): Promise<MethodServer> {
    calls = 0;
    return startMethods((all) => [
      unary(all, { path, ...textShape }, () => {
        calls += 1;
        return new Promise(() => undefined);
      }),
    ]);
  }

  test("ends at its time limit, by the clock that it was given", async () => {
    const { address, logger } = await startSilent();
    const clock = createSimulatedClock();
    const connection = new Connection({ address, timeoutMs: 600_000 }, clock);
    const answer = connection.unary(shape, "x").catch((error: unknown) => error);
    await vi.waitFor(() => expect(calls).toBe(1));
    await clock.advance(599_999);
    expect(logger.lines).toEqual([]);
    await clock.advance(1);
    expect(await answer).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: "The server did not answer within 600 s",
    });
    await vi.waitFor(() => expect(logger.lines).toMatchObject([{ fields: { status: "CANCELLED" } }]));
    connection.close();
  });

  test("tells the server its time limit", async () => {
    const { address } = await startSilent();
    // The client's timer never fires: the server ends the call.
    const connection = new Connection({ address, timeoutMs: 300 }, createSimulatedClock());
    expect(await connection.unary(shape, "x").catch((error: unknown) => error)).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: "Deadline exceeded",
    });
    connection.close();
  });

  test("leaves no timer running after an answer", async () => {
    const { address } = await startMethods((all) => [unary(all, { path, ...textShape }, async (text) => `${text}!`)]);
    const clock = createSimulatedClock();
    const connection = new Connection({ address }, clock);
    expect(await connection.unary(shape, "x")).toBe("x!");
    expect(clock.timers).toBe(0);
    connection.close();
  });
});
