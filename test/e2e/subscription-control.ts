/** The other methods of the subscription service, without our client. They wait for a server that is away. */

import { Client, credentials, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";
import {
  type CommitRequest,
  type CommitResponse,
  type DeepPartial,
  DescribeSubscriptionRequest,
  type DescribeSubscriptionResponse,
  type ParkedRecord,
  CreateSubscriptionRequest,
  SubscriptionServiceService,
} from "../../src/gen/millrace/v1/subscription_service.js";

/** Longer than anything that is killed here is away. */
const patienceMs = 30_000;

export class SubscriptionControl {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      "grpc.enable_retries": 0,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 200,
    });
  }

  close(): void {
    this.#client.close();
  }

  async create(request: DeepPartial<CreateSubscriptionRequest>): Promise<void> {
    const start = { at: { $case: "earliest" as const, value: {} } };
    const whole = CreateSubscriptionRequest.fromPartial({ start, ...request } as typeof request);
    await this.#unary(SubscriptionServiceService.createSubscription, whole);
  }

  /** Its current progress. */
  async describe(subscription: string): Promise<DescribeSubscriptionResponse> {
    const { path, requestSerialize, responseDeserialize } = SubscriptionServiceService.describeSubscription;
    const request = DescribeSubscriptionRequest.fromPartial({ subscription, limit: 1 });
    return this.#patiently(
      (deadline) =>
        new Promise((resolve, reject) => {
          const options = { deadline };
          const stream = this.#client.makeServerStreamRequest(
            path,
            requestSerialize,
            responseDeserialize,
            request,
            options,
          );
          stream.once("data", resolve);
          stream.once("error", reject);
          stream.once("end", () => reject(new Error("Describe ended without an answer")));
        }),
    );
  }

  /** All parked records. */
  async parked(subscription: string): Promise<ParkedRecord[]> {
    const records: ParkedRecord[] = [];
    let pageToken = "";
    do {
      const request = { subscription, filter: "", pageSize: 1000, pageToken };
      const page = await this.#unary(SubscriptionServiceService.listParkedRecords, request);
      records.push(...page.records);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return records;
  }

  /** Returns how many were redriven. */
  async redrive(subscription: string, rate: number): Promise<number> {
    const request = { subscription, offsets: [], filter: "", rate };
    return (await this.#unary(SubscriptionServiceService.redriveParkedRecords, request)).records;
  }

  /** Once: if the answer is lost, the caller must find out whether it was committed. */
  commit(request: CommitRequest): Promise<CommitResponse> {
    return this.#once(SubscriptionServiceService.commit, request, Date.now() + patienceMs);
  }

  #unary<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response> {
    return this.#patiently((deadline) => this.#once(method, request, deadline));
  }

  #once<Request, Response>(
    { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
    request: Request,
    deadline: number,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        { deadline },
        (error, response) => (error === null ? resolve(response as Response) : reject(error)),
      );
    });
  }

  async #patiently<T>(call: (deadline: number) => Promise<T>): Promise<T> {
    const endMs = Date.now() + patienceMs;
    for (;;) {
      try {
        return await call(endMs);
      } catch (error) {
        if ((error as ServiceError).code !== status.UNAVAILABLE || Date.now() > endMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}
