/** Streams whose clients stopped reading. */

import type { ClientHttp2Session } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { openConnection, openStream } from "../harness/raw-stream.js";
import type { Subject } from "../harness/subject.js";

export interface StalledStreamsConfig {
  readonly address: string;
  readonly path: string;
}

export type StalledStreamsRound =
  /** Opens a stream for each request, and waits for their headers. */
  | { readonly kind: "open"; readonly requests: readonly Uint8Array[] }
  /** Waits until nothing more arrives: every window is full. */
  | { readonly kind: "settle" };

const sessions = 10;

export async function open(config: StalledStreamsConfig): Promise<Subject<StalledStreamsRound, void>> {
  const connections = await Promise.all(Array.from({ length: sessions }, () => openConnection(config.address)));
  let opened = 0;
  return {
    info: undefined,
    async round(order) {
      if (order.kind === "settle") return settle(connections);
      const answers = order.requests.map((request) => {
        const session = connections[opened++ % sessions] as ClientHttp2Session;
        // Nobody listens for data, so the stream's window closes after 64 KiB.
        const stream = openStream(session, config.path, request);
        return new Promise<void>((resolve) => stream.once("response", () => resolve()));
      });
      await Promise.all(answers);
    },
    async close() {
      for (const connection of connections) connection.destroy();
    },
  };
}

async function settle(connections: readonly ClientHttp2Session[]): Promise<void> {
  const received = () => connections.reduce((sum, { socket }) => sum + socket.bytesRead, 0);
  let before = received();
  for (let quietChecks = 0; quietChecks < 4; ) {
    await sleep(250);
    const after = received();
    quietChecks = after === before ? quietChecks + 1 : 0;
    before = after;
  }
}
