import { Client, credentials, status, type ServiceError } from "@grpc/grpc-js";
import { ReplayCheck, type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";
import { naiveReplay } from "./naive-service.js";

export interface ReplayNaiveConfig {
  readonly address: string;
  readonly bodyBytes: number;
  /** Stops reading after this time. */
  readonly secondsMax: number;
}

export async function open(config: ReplayNaiveConfig): Promise<Subject<void, Sample>> {
  const client = new Client(config.address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = naiveReplay;
  return {
    info: undefined,
    round: () =>
      timed(async () => {
        const check = new ReplayCheck(config.bodyBytes, 0);
        const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
        const endMs = performance.now() + config.secondsMax * 1000;
        try {
          for await (const record of call as AsyncIterable<ReturnType<typeof responseDeserialize>>) {
            check.see(record.offset ?? -1, record.body?.$case === "data" ? record.body.value : undefined);
            if (check.count % 1000 === 0 && performance.now() > endMs) break;
          }
        } catch (error) {
          if ((error as ServiceError).code !== status.CANCELLED) throw error;
        }
        call.cancel();
        return check.count;
      }),
    async close() {
      client.close();
    },
  };
}
