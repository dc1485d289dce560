import { Client, connectivityState, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";
import { afterEach, describe, expect, test } from "vitest";
import { loadedProtos } from "../support/loaded-protos.js";
import { closeAll, startServer } from "./rpc-server.js";

afterEach(closeAll);

/**
 * The stubs that grpc-js makes from the protos: `makeGenericClientConstructor` adds a service's methods, with two names
 * each, to a class derived from Client. There, a method named `Close` would hide the channel's `close()`.
 */
const services = Object.entries(loadedProtos).flatMap(([name, definition]) =>
  "format" in definition ? [] : [{ name, Stub: makeGenericClientConstructor(definition, name) }],
);

describe.each(services)("a stub of $name", ({ name, Stub }) => {
  test("has all methods of Client, and those of the service", () => {
    const hidden = Object.getOwnPropertyNames(Client.prototype).filter(
      (each) => each !== "constructor" && Object.hasOwn(Stub.prototype as object, each),
    );
    expect(hidden, `${name} hides methods of grpc-js' Client`).toEqual([]);
  });

  test("closes its channel with close()", async () => {
    const { address } = await startServer({});
    const stub = new Stub(address, credentials.createInsecure());
    await new Promise<void>((resolve, reject) => {
      stub.waitForReady(Date.now() + 10_000, (error) => (error === undefined ? resolve() : reject(error)));
    });
    stub.close();
    expect(stub.getChannel().getConnectivityState(false)).toBe(connectivityState.SHUTDOWN);
  });
});
