import { Client, credentials } from "@grpc/grpc-js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";
import { passthroughReplay } from "./passthrough-service.js";

export interface ReplayPassthroughConfig {
  readonly address: string;
  readonly pageRecords: number;
}

/** Reads pages as bytes without decoding them, with our client's flow-control window. */
export async function open(config: ReplayPassthroughConfig): Promise<Subject<void, Sample>> {
  const client = new Client(config.address, credentials.createInsecure(), {
    "grpc-node.flow_control_window": 1_048_576,
  });
  const { path, requestSerialize, responseDeserialize } = passthroughReplay;
  return {
    info: undefined,
    round: () =>
      timed(async () => {
        let pages = 0;
        const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
        for await (const _ of call) pages += 1;
        return pages * config.pageRecords;
      }),
    async close() {
      client.close();
    },
  };
}
