import { afterEach, describe, expect, test, vi } from "vitest";
import { Connection } from "../../src/client/connection.js";
import { unary } from "../../src/rpc/unary.js";
import { closeAll, type MethodServer, startMethods, textShape } from "../rpc/rpc-server.js";
import { createSimulatedClock } from "../support/simulated-clock.js";

afterEach(closeAll);

const path = "/test.Texts/Answer";
const shape = { path, requestSerialize: Buffer.from, responseDeserialize: String };

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
    // Its own timer never fires: it is the server that ends the call.
    const connection = new Connection({ address, timeoutMs: 300 }, createSimulatedClock());
    expect(await connection.unary(shape, "x").catch((error: unknown) => error)).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: "Deadline exceeded",
    });
    connection.close();
  });

  test("leaves no timer behind an answer", async () => {
    const { address } = await startMethods((all) => [unary(all, { path, ...textShape }, async (text) => `${text}!`)]);
    const clock = createSimulatedClock();
    const connection = new Connection({ address }, clock);
    expect(await connection.unary(shape, "x")).toBe("x!");
    expect(clock.timers).toBe(0);
    connection.close();
  });
});
