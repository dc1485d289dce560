/**
 * A viewer's connection: server-sent events over HTTP. If the viewer does not read, its socket's window closes, the
 * writable reports that, and its stream is not polled. It then lags in the ring, and costs only its place there.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { filterMap, interval, Lagged, pipe, select, toWritable } from "millrace/streams";
import type { DashboardEvent } from "./event.js";
import type { Viewers } from "./viewers.js";

/** Serves `GET /events`. When a browser's EventSource reconnects, it sends the header Last-Event-ID by itself. */
export async function serveEvents(
  viewers: Viewers,
  heartbeatMs: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const lastId = request.headers["last-event-id"];
  const event = typeof lastId === "string" ? viewers.resume(Number(lastId) + 1) : viewers.watch();
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.flushHeaders();
  let sentAt = performance.now();
  await pipe(
    select({ event, tick: interval(heartbeatMs / 4) }),
    filterMap((selected) => {
      const isSilent = performance.now() - sentAt >= heartbeatMs;
      if (selected.branch === "tick" && !isSilent) return undefined;
      sentAt = performance.now();
      return selected.branch === "tick" ? ": heartbeat\n\n" : textOf(selected.item);
    }),
    (texts) => toWritable(texts, response),
  );
}

function textOf(item: DashboardEvent | Lagged): string {
  if (item instanceof Lagged) return `event: lagged\ndata: {"missed":${item.missed}}\n\n`;
  return `id: ${item.offset}\nevent: ${item.type}\ndata: ${JSON.stringify(item.json)}\n\n`;
}
