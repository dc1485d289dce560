/** Bare grpc-js: prepared pages, no database. No service on grpc-js can be faster. */

import { Server, type ServerWritableStream } from "@grpc/grpc-js";
import { listen } from "../harness/listen.js";
import { framesWithin } from "../harness/record-frames.js";
import { bodies } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";

export interface PassthroughConfig {
  readonly bodyBytes: number;
  readonly pageBytes: number;
  /** Pages of one replay. */
  readonly pages: number;
}

const asIs = (bytes: Buffer): Buffer => bytes;

export const passthroughReplay = {
  path: "/passthrough.RecordService/Replay",
  requestStream: false as const,
  responseStream: true as const,
  requestSerialize: () => Buffer.alloc(0),
  requestDeserialize: () => ({}),
  responseSerialize: asIs,
  responseDeserialize: asIs,
};

export interface PassthroughInfo {
  readonly address: string;
  readonly pageRecords: number;
}

export async function open(config: PassthroughConfig): Promise<Subject<void, void, PassthroughInfo>> {
  const page = framesWithin(bodies(config.bodyBytes), config.pageBytes);
  const server = new Server();
  server.addService(
    { replay: passthroughReplay },
    {
      // One page in flight, as Millrace sends (grpc-js.md #1).
      replay(call: ServerWritableStream<object, Buffer>) {
        let left = config.pages;
        const next = (error?: Error | null) => {
          if (error || call.cancelled) return;
          if (left === 0) {
            call.end();
            return;
          }
          left -= 1;
          call.write(page.bytes, next);
        };
        next();
      },
    },
  );
  const address = await listen(server);
  return {
    info: { address, pageRecords: page.ends.length },
    round: async () => undefined,
    async close() {
      server.forceShutdown();
    },
  };
}
