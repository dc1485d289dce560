import { createFileRegistry, type DescMessage, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  type CallOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import fc from "fast-check";
import { expect } from "vitest";
import { fileDescriptorSet } from "../../src/gen/descriptor-set.js";
import { AppendRequest, RecordServiceService } from "../../src/gen/millrace/v1/record_service.js";
import {
  Subscription_Sharing,
  CreateSubscriptionRequest,
  SubscriptionServiceService,
} from "../../src/gen/millrace/v1/subscription_service.js";
import { createClient } from "../../src/index.js";
import { loadedMessage } from "../support/loaded-protos.js";
import { type PlainMessage, plainMessage } from "../support/message-arbitrary.js";
import { callUnary } from "../rpc/rpc-server.js";
import type { Record as RecordMessage } from "../../src/gen/millrace/v1/record.js";
import { recordArbitrary } from "../support/record-arbitrary.js";

/** A method for the transport, with the type of its requests. */
export interface AnyMethod {
  readonly path: string;
  readonly input: DescMessage;
  readonly isClientStreaming: boolean;
  readonly isServerStreaming: boolean;
}

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet()));
const consumeRequest = registry.getMessage("millrace.v1.ConsumeRequest") as DescMessage;
const readResponse = registry.getMessage("millrace.v1.ReadResponse") as DescMessage;

/** Every method of every service of ours, and of reflection and health. */
export const everyMethod: readonly AnyMethod[] = [...registry.files]
  .flatMap(({ services }) => services)
  .filter(({ typeName }) => !typeName.startsWith("grpc.channelz."))
  .flatMap(({ typeName, methods }) =>
    methods.map(({ name, input, methodKind }) => ({
      path: `/${typeName}/${name}`,
      input,
      isClientStreaming: methodKind === "client_streaming" || methodKind === "bidi_streaming",
      isServerStreaming: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    })),
  );

const bytesOf = (bytes: Uint8Array) => Buffer.from(bytes);

/** Sends bytes to a method and returns the status. A call that would continue is cancelled at its first message. */
export function callWithBytes(
  client: Client,
  { path, isClientStreaming, isServerStreaming }: AnyMethod,
  messages: readonly Uint8Array[],
  options: CallOptions = { deadline: Date.now() + 20_000 },
): Promise<status> {
  return new Promise((resolve) => {
    const [first = Buffer.alloc(0)] = messages;
    if (!isServerStreaming) {
      client.makeUnaryRequest(path, bytesOf, bytesOf, first, options, (error) => resolve(error?.code ?? status.OK));
      return;
    }
    const watch = (stream: ClientReadableStream<Buffer> | ClientDuplexStream<Uint8Array, Buffer>) => {
      stream.on("error", ({ code }: ServiceError) => resolve(code));
      stream.on("end", () => resolve(status.OK));
      stream.on("data", () => {
        if (!isClientStreaming) stream.cancel();
      });
    };
    if (!isClientStreaming) {
      watch(client.makeServerStreamRequest(path, bytesOf, bytesOf, first, options));
      return;
    }
    const stream = client.makeBidiStreamRequest(path, bytesOf, bytesOf, options);
    watch(stream);
    for (const message of messages) stream.write(message);
    stream.end();
  });
}

const topics = ["hostile/one", "hostile/two", "hostile/three"] as const;
const subscriptions = ["hostile/first", "hostile/second"] as const;
const keptSubscriptions = ["hostile/shared", "hostile/keyed", "hostile/exclusive"] as const;

/** A record whose lifetime lasts until everything is read. */
function lasting(record: RecordMessage): RecordMessage {
  const { lifetime } = record;
  return { ...record, lifetime: lifetime && { ...lifetime, seconds: Math.max(3600, lifetime.seconds) } };
}

/** Batches of honest publishers, to topics that nobody closes or deletes. */
const batch: fc.Arbitrary<Uint8Array> = fc
  .record({
    topic: fc.constantFrom("hostile/kept", "hostile/kept/too"),
    records: fc.array(recordArbitrary.map(lasting), { minLength: 1, maxLength: 4 }),
  })
  .map((request) => AppendRequest.encode(AppendRequest.fromPartial(request)).finish());

/** A decodable request with any values; its topic and subscription often exist. */
function requestOf({ path, input }: AnyMethod): fc.Arbitrary<Uint8Array> {
  if (writers.includes(path)) return fc.oneof({ weight: 3, arbitrary: batch }, anyRequestOf(input));
  return anyRequestOf(input);
}

function anyRequestOf(input: DescMessage): fc.Arbitrary<Uint8Array> {
  if (!/^(millrace\.v1|routeguide)\./.test(input.typeName)) return fc.uint8Array({ maxLength: 60 });
  const has = (field: string) => input.fields.some(({ localName }) => localName === field);
  const named = fc.record(
    {
      ...(has("topic") && { topic: fc.constantFrom(...topics) }),
      ...(has("subscription") && { subscription: fc.constantFrom(...subscriptions) }),
    },
    { requiredKeys: [] },
  );
  return fc
    .tuple(plainMessage(input), named)
    .map(([plain, names]): PlainMessage => ({ ...plain, ...names }))
    .map((plain) => loadedMessage(input.typeName).serialize(plain));
}

/** Damage to a message: none, or some bytes changed, cut off, or repeated. */
const damage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.oneof(
  { weight: 3, arbitrary: fc.constant((bytes: Uint8Array) => bytes) },
  fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => (bytes: Uint8Array) => {
    const changed = Uint8Array.from(bytes);
    for (const [at, value] of changes) if (changed.length > 0) changed[at % changed.length] = value;
    return changed;
  }),
  fc.nat().map((at) => (bytes: Uint8Array) => bytes.subarray(0, at % (bytes.length + 1))),
  fc.nat().map((at) => (bytes: Uint8Array) => Buffer.concat([bytes, bytes.subarray(at % (bytes.length + 1))])),
);

/** Both read a batch from the same bytes: AppendRequest and PublishRequest agree on these fields. */
const writers = [RecordServiceService.append.path, RecordServiceService.publish.path] as readonly string[];

const offsets = fc
  .tuple(fc.nat(40), fc.nat(20))
  .map(([firstOffset, more]) => ({ firstOffset, nextOffset: more === 0 ? 0 : firstOffset + more }));
const delay = fc.option(fc.record({ seconds: fc.constantFrom(0, 1), nanos: fc.nat(999_999_999) }));
const attempt = fc.nat(3);
const reason = fc.string({ maxLength: 20 });

/** Verdicts of a faulty consumer: on records that it has, had, or never had, all at once. */
const verdicts: fc.Arbitrary<Uint8Array> = fc
  .record(
    {
      window: fc.record({ records: fc.nat(5), bytes: fc.nat(10_000) }, { requiredKeys: [] }),
      acknowledge: fc.array(fc.record({ offsets, attempt }), { maxLength: 2 }),
      acknowledgeThrough: fc.nat(60),
      reject: fc.array(fc.record({ offsets, attempt, delay, reason }), { maxLength: 2 }),
      extend: fc.array(fc.record({ offsets, attempt }), { maxLength: 2 }),
      park: fc.array(fc.record({ offsets, attempt, reason }), { maxLength: 2 }),
      release: fc.array(fc.record({ offsets, attempt }), { maxLength: 2 }),
    },
    { requiredKeys: [] },
  )
  .map((plain) => loadedMessage(consumeRequest.typeName).serialize(plain));

/** Consume calls that reach records: of subscriptions that nobody deletes, and of a topic. */
const consumption: fc.Arbitrary<readonly Uint8Array[]> = fc
  .tuple(
    fc
      .constantFrom<object>(...keptSubscriptions.map((subscription) => ({ subscription })), { topic: "hostile/kept" })
      .map((opening) => loadedMessage(consumeRequest.typeName).serialize(opening)),
    fc.array(verdicts, { minLength: 1, maxLength: 6 }),
  )
  .map(([opening, later]) => [opening, ...later]);

const hostileCall: fc.Arbitrary<{ method: AnyMethod; messages: readonly Uint8Array[] }> = fc
  .oneof(
    { weight: 3, arbitrary: fc.constantFrom(...everyMethod) },
    { weight: 3, arbitrary: fc.constantFrom(...everyMethod.filter(({ path }) => writers.includes(path))) },
    { weight: 1, arbitrary: fc.constantFrom(...everyMethod.filter(({ input }) => input === consumeRequest)) },
  )
  .chain((method) => {
    const message = fc.oneof(
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
      { weight: 5, arbitrary: fc.tuple(requestOf(method), damage).map(([bytes, change]) => change(bytes)) },
    );
    const any = fc.array(message, { minLength: 1, maxLength: 3 });
    const messages = method.input === consumeRequest ? fc.oneof({ weight: 3, arbitrary: consumption }, any) : any;
    return fc.record({ method: fc.constant(method), messages });
  });

/** Statuses that mean a bug of ours, whatever the input. CANCELLED is not one: this client cancels calls. */
const faults = new Set([
  status.UNKNOWN,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
  status.DEADLINE_EXCEEDED,
]);

const sharings: Readonly<Record<(typeof keptSubscriptions)[number], Subscription_Sharing>> = {
  "hostile/shared": Subscription_Sharing.SHARED,
  "hostile/keyed": Subscription_Sharing.KEYED,
  "hostile/exclusive": Subscription_Sharing.EXCLUSIVE,
};

/**
 * Creates subscriptions of a topic that nobody closes or deletes. Some of these subscriptions are deleted meanwhile.
 */
async function subscribe(client: Client): Promise<void> {
  const records = Array.from({ length: 30 }, (_, index) => ({ key: `key-${index % 4}` }));
  const first = AppendRequest.fromPartial({ topic: "hostile/kept", records });
  expect(await callUnary(client, RecordServiceService.append, first)).not.toBeInstanceOf(Error);
  for (const subscription of [...subscriptions, ...keptSubscriptions]) {
    const request = CreateSubscriptionRequest.fromPartial({
      subscription,
      topic: "hostile/kept",
      start: { at: { $case: "earliest", value: {} } },
      ...(subscription in sharings && { sharing: sharings[subscription as keyof typeof sharings] }),
    });
    expect(await callUnary(client, SubscriptionServiceService.createSubscription, request)).not.toBeInstanceOf(Error);
  }
}

/** Makes hostile calls; none may end as a fault of the server. A strict codec must be able to read what they wrote. */
export async function fuzzRequests(client: Client, address: string, numRuns: number, seed?: number): Promise<void> {
  await subscribe(client);
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(hostileCall, async ({ method, messages }) => {
      const code = await callWithBytes(client, method, messages);
      expect(faults.has(code) ? `${method.path}: ${status[code]}` : undefined).toBeUndefined();
      seen.set(status[code], (seen.get(status[code]) ?? 0) + 1);
    }),
    { numRuns, ...(seed !== undefined && { seed }) },
  );
  const calls = [...seen].map(([code, count]) => `${code} ${count}`).join(", ");
  // Enough of them reached the engine; otherwise the input was not hostile in the way that matters.
  expect(seen.get("OK") ?? 0).toBeGreaterThan(numRuns / 50);
  expect(seen.get("INVALID_ARGUMENT") ?? 0).toBeGreaterThan(numRuns / 50);
  const records = await readEverything(client, address);
  expect(records).toBeGreaterThan(numRuns / 20);
  console.log(`${numRuns} hostile calls: ${calls}; ${records} records in the end`);
}

/** Reads all topics to their ends: no record may poison its page for a reader. */
async function readEverything(client: Client, address: string): Promise<number> {
  const ours = createClient({ address });
  let count = 0;
  try {
    for await (const { name, earliestOffset, nextOffset } of ours.topics.list()) {
      const records = [];
      for await (const record of ours.read(name)) records.push(JSON.stringify(record));
      const held = nextOffset - earliestOffset;
      if (name.startsWith("hostile/kept")) expect(records).toHaveLength(held);
      // In other topics a record may have had a lifetime of a nanosecond.
      else expect(records.length).toBeLessThanOrEqual(held);
      expect(await countStrictly(client, name)).toBe(records.length);
      count += records.length;
    }
    return count;
  } finally {
    ours.close();
  }
}

/** Reads with a codec as strict as Java's and Go's: it throws at text that is not UTF-8. */
async function countStrictly(client: Client, topic: string): Promise<number> {
  const request = loadedMessage("millrace.v1.ReadRequest").serialize({ topic });
  const stream = client.makeServerStreamRequest("/millrace.v1.RecordService/Read", bytesOf, bytesOf, request);
  let count = 0;
  for await (const bytes of stream as AsyncIterable<Buffer>) {
    const { records } = fromBinary(readResponse, bytes) as unknown as { records: unknown[] };
    count += records.length;
  }
  return count;
}
