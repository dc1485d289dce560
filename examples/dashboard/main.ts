/**
 * A dashboard's back end: events of the types message, notification and update, from one follow of a topic to many
 * viewers (server-sent events). A heartbeat is sent after 15 s of silence. A viewer that lags skips events, and is informed
 * how many. A viewer that reconnects continues where it was, by the header Last-Event-ID.
 *
 * Pieces: broadcast with recover, select, interval, filterMap, map, forEach, toWritable.
 * RPCs: RecordService.Follow and Read; TopicService.GetTopic and CreateTopic.
 *
 *     make run                                                   # in another terminal
 *     make example NAME=dashboard ARGS="--port 8090"
 *     printf '{"type":"message","text":"a"}\n{"type":"update","text":"b"}\n' | npx millrace publish dashboard
 *     curl -N -H 'Last-Event-ID: 0' http://127.0.0.1:8090/events
 *
 * The last one prints, and continues:
 *
 *     id: 1
 *     event: update
 *     data: {"type":"update","text":"b"}
 *
 *     : heartbeat
 */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { createClient } from "millrace";
import { serveEvents } from "./event-stream.js";
import { createViewers } from "./viewers.js";
import { prepareTopic } from "../prepare-topic.js";
import { wholeNumber } from "../whole-number.js";

const { values } = parseArgs({
  options: {
    address: { type: "string", default: "127.0.0.1:50051" },
    topic: { type: "string", default: "dashboard" },
    port: { type: "string", default: "8090" },
    "ring-events": { type: "string", default: "1000" },
    "heartbeat-ms": { type: "string", default: "15000" },
  },
});

const heartbeatMs = wholeNumber("heartbeat-ms", values["heartbeat-ms"], 1);
const ringEvents = wholeNumber("ring-events", values["ring-events"], 1);
const port = wholeNumber("port", values.port);

const stopped = new AbortController();
process.once("SIGINT", () => stopped.abort());
process.once("SIGTERM", () => stopped.abort());
const millrace = createClient({ address: values.address });
const server = createServer();
try {
  await prepareTopic(millrace, values.topic);
  const viewers = await createViewers(millrace, values.topic, ringEvents);
  server.on("request", (request, response) => {
    if (request.method !== "GET" || request.url !== "/events") {
      response.writeHead(404).end();
      return;
    }
    serveEvents(viewers, heartbeatMs, request, response).catch((error: unknown) => {
      // A viewer that has left is no error; it may reconnect.
      if (!response.destroyed) process.stderr.write(`A viewer's stream failed: ${String(error)}\n`);
      response.destroy();
    });
  });
  server.listen(port, "127.0.0.1");
  // Rejects when the port is in use.
  await once(server, "listening");
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}/events\n`);
  await viewers.run(stopped.signal);
} catch (error) {
  if (!stopped.signal.aborted) throw error;
} finally {
  server.closeAllConnections();
  server.close();
  millrace.close();
}
