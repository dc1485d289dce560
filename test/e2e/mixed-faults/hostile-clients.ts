/** Hostile clients, until they are stopped. Nothing that they do may end as a fault of the node. */

import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { createClient } from "../../../src/index.js";
import { openClient } from "../../rpc/rpc-server.js";
import { connectRaw, RawFollower } from "../../support/raw-follower.js";
import { oneOf, type Random, wholeNumberBetween } from "../../support/soak.js";
import { callWithBytes, everyMethod } from "../fuzz-requests.js";

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** An empty SETTINGS frame. */
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** No attack takes longer, whatever happens to the node. */
const attackMsMax = 20_000;

type Attack = (address: string, random: Random) => Promise<void>;

/** Sends bytes that are not (valid) HTTP/2, and keeps the socket open for a while. */
const talksNonsense: Attack = async (address, random) => {
  const [host = "", port] = address.split(":");
  const socket = connect(Number(port), host);
  socket.on("error", () => undefined);
  const noise = Buffer.from(Array.from({ length: 200 }, () => wholeNumberBetween(random, 0, 255)));
  socket.write(
    oneOf(random, [noise, Buffer.concat([Buffer.from(preface), settings, noise]), Buffer.from("GET /\r\n\r\n")]),
  );
  await delay(wholeNumberBetween(random, 0, 300));
  socket.destroy();
};

/** Opens follows, reads nothing of them, and leaves. */
const readsNothing: Attack = async (address, random) => {
  const session = await connectRaw(address).catch(() => undefined);
  if (session === undefined) return;
  session.on("error", () => undefined);
  const followers = Array.from({ length: 5 }, () => new RawFollower(session, "mixed/log"));
  await delay(wholeNumberBetween(random, 50, 1000));
  for (const follower of followers) follower.close();
  session.destroy();
};

/** Opens follows and cancels them, as fast as it can. */
const cancels: Attack = async (address, random) => {
  const client = createClient({ address });
  for (let calls = 0; calls < 20; calls += 1) {
    const over = new AbortController();
    const following = (async () => {
      for await (const _record of client.follow("mixed/log", { signal: over.signal, giveUpAfterMs: 0 })) return;
    })().catch(() => undefined);
    await delay(wholeNumberBetween(random, 0, 5));
    over.abort(new Error("changed its mind"));
    await following;
  }
  client.close();
};

/** Sends any bytes as a request of any method. */
const sendsAnything: Attack = async (address, random) => {
  const client = openClient(address);
  const method = oneOf(random, everyMethod as readonly [(typeof everyMethod)[number], ...typeof everyMethod]);
  const bytes = Buffer.from(
    Array.from({ length: wholeNumberBetween(random, 0, 60) }, () => wholeNumberBetween(random, 0, 255)),
  );
  const code = await callWithBytes(client, method, [bytes], { deadline: Date.now() + 3000 });
  client.close();
  if (code === status.UNKNOWN) throw new Error(`${method.path} of ${bytes.toString("hex")} ended with ${status[code]}`);
};

const attacks = [talksNonsense, readsNothing, cancels, sendsAnything] as const;

/** Runs one attack after the other on either address. Returns how many. */
export async function attackUntil(
  addresses: () => readonly [string, ...string[]],
  random: Random,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  while (!signal.aborted) {
    const attack = oneOf(random, attacks);
    const left = new AbortController();
    const late = delay(attackMsMax, "late", { signal: AbortSignal.any([signal, left.signal]) }).catch(() => "over");
    const outcome = await Promise.race([attack(oneOf(random, addresses()), random), late]);
    left.abort();
    if (outcome === "late") throw new Error(`${attack.name} took longer than ${attackMsMax} ms`);
    count += 1;
    await delay(20, undefined, { signal }).catch(() => undefined);
  }
  return count;
}
