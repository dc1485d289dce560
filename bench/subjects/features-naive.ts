import { Client, credentials } from "@grpc/grpc-js";
import { FeatureCheck } from "../harness/features.js";
import { type Sample, timed } from "../harness/sample.js";
import type { Subject } from "../harness/subject.js";
import { naiveList } from "./naive-features.js";

export async function open(config: { readonly address: string }): Promise<Subject<void, Sample>> {
  const client = new Client(config.address, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = naiveList;
  return {
    info: undefined,
    round: () =>
      timed(async () => {
        const check = new FeatureCheck();
        const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {});
        for await (const { key, body, location } of call as AsyncIterable<ReturnType<typeof responseDeserialize>>) {
          check.see(key, body?.$case === "data" ? body.value : undefined, location?.latitude);
        }
        return check.count;
      }),
    async close() {
      client.close();
    },
  };
}
