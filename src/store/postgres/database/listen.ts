/**
 * Receives notifications on a connection outside the pool: LISTEN belongs to one connection, and the pool replaces its
 * connections. It reconnects until it succeeds. Notifications in between are lost; `onGap` reports that.
 */

import { Socket } from "node:net";
import pg from "pg";
import { backoff, sleep } from "../../../streams/index.js";
import type { Logger } from "../../../telemetry/index.js";
import { messageOf } from "./failures.js";

export interface ListenHandlers {
  readonly onPayload: (payload: string) => void;
  /** After each connect, including the first: earlier notifications were missed. */
  readonly onGap: () => void;
}

export interface ListenOptions {
  readonly url: string;
  readonly channel: string;
  readonly connectTimeoutMs: number;
  readonly logger: Logger;
}

/** A silent connection is probed after this time; a dead one is found some seconds later. */
const keepAliveDelayMs = 10_000;
/** After a connection that lasted this long, the backoff starts again from its minimum. */
const goodConnectionMs = 10_000;
/** How long the server has to close the connection. */
const leaveMs = 1000;

/** Resolves when `signal` aborts and the connection is closed. Never throws. */
export async function listenOn(options: ListenOptions, handlers: ListenHandlers, signal: AbortSignal): Promise<void> {
  const { channel, logger } = options;
  const waits = backoff({ minMs: 100, maxMs: 5000 });
  let isAway = false;
  while (!signal.aborted) {
    let listeningSinceMs = Number.POSITIVE_INFINITY;
    const lost = await listenOnce(
      options,
      {
        ...handlers,
        onGap() {
          listeningSinceMs = performance.now();
          if (isAway) logger.info({ channel }, "The connection that receives from other nodes is back");
          isAway = false;
          handlers.onGap();
        },
      },
      signal,
    );
    if (signal.aborted) return;
    if (!isAway) logger.warn({ channel, error: messageOf(lost) }, "Lost the connection that receives from other nodes");
    isAway = true;
    if (performance.now() - listeningSinceMs > goodConnectionMs) waits.reset();
    await sleep(waits.next(), signal).catch(() => undefined);
  }
}

/** Listens on one connection until it ends. Returns the reason. */
async function listenOnce(
  { url, channel, connectTimeoutMs, logger }: ListenOptions,
  { onPayload, onGap }: ListenHandlers,
  signal: AbortSignal,
): Promise<unknown> {
  // Our own socket, so that it can be destroyed in any state of the client.
  const socket = new Socket();
  const client = new pg.Client({
    connectionString: url,
    stream: () => socket,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    connectionTimeoutMillis: connectTimeoutMs,
    fallback_application_name: "millrace",
  });
  let onAbort: (() => void) | undefined;
  const ended = new Promise<unknown>((resolve) => {
    client.on("error", resolve);
    client.on("end", () => resolve(new Error("the server closed it")));
    onAbort = () => resolve(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  client.on("notification", ({ payload }) => {
    try {
      onPayload(payload ?? "");
    } catch (error) {
      // An error thrown here would end the process.
      logger.error({ channel, err: error }, "Cannot handle a notification of another node");
    }
  });
  // The client limits the connect. This timer limits connect and command together.
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer within ${2 * connectTimeoutMs} ms`)),
    2 * connectTimeoutMs,
  );
  try {
    const listening = client.connect().then(() => client.query(`listen ${channel}`));
    const failure = await Promise.race([listening.then(() => undefined), ended.then((reason) => ({ reason }))]);
    listening.catch(() => undefined);
    clearTimeout(timer);
    if (failure !== undefined) return failure.reason;
    onGap();
    return await ended;
  } catch (error) {
    return error;
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
    await leave(client, socket);
  }
}

/** Closes the connection; destroys it when the server does not answer. */
async function leave(client: pg.Client, socket: Socket): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    client.end().catch(() => undefined),
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, leaveMs);
    }),
  ]);
  clearTimeout(timer);
  socket.destroy();
}
