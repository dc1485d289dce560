/**
 * Hears what others notify, on one connection of its own outside the pool: LISTEN belongs to a connection, and the pool's
 * come and go. It is connected again for as long as it takes. What is notified meanwhile is lost; `onGap` tells of it.
 */

import { Socket } from "node:net";
import pg from "pg";
import { backoff, sleep } from "../../../streams/index.js";
import type { Logger } from "../../../telemetry/index.js";
import { messageOf } from "./failures.js";

export interface ListenHandlers {
  readonly onPayload: (payload: string) => void;
  /** After each connect, the first one too: what was notified before is not heard. */
  readonly onGap: () => void;
}

export interface ListenOptions {
  readonly url: string;
  readonly channel: string;
  readonly connectTimeoutMs: number;
  readonly logger: Logger;
}

/** A silent connection is probed after so long; a dead one is found some seconds later. */
const keepAliveDelayMs = 10_000;
/** A connection that lasted so long was a good one: the next wait is a short one again. */
const goodConnectionMs = 10_000;
/** How long the server has to take its leave. */
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
          if (isAway) logger.info({ channel }, "the connection that hears of other nodes is back");
          isAway = false;
          handlers.onGap();
        },
      },
      signal,
    );
    if (signal.aborted) return;
    if (!isAway) logger.warn({ channel, error: messageOf(lost) }, "lost the connection that hears of other nodes");
    isAway = true;
    if (performance.now() - listeningSinceMs > goodConnectionMs) waits.reset();
    await sleep(waits.next(), signal).catch(() => undefined);
  }
}

/** One connection, until it ends. Gives why. */
async function listenOnce(
  { url, channel, connectTimeoutMs, logger }: ListenOptions,
  { onPayload, onGap }: ListenHandlers,
  signal: AbortSignal,
): Promise<unknown> {
  // Ours, so that it can be destroyed whatever state the client is in.
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
      // Thrown here it would end the process.
      logger.error({ channel, err: error }, "cannot take what another node told");
    }
  });
  // The timeout of the connect is the client's own; that of the command is ours.
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

/** Takes leave of the server, or just goes. */
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
