import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../src/core/index.js";
import * as inspectService from "../../src/gen/millrace/v1/inspect_service.js";
import * as record from "../../src/gen/millrace/v1/record.js";
import * as recordService from "../../src/gen/millrace/v1/record_service.js";
import * as stateService from "../../src/gen/millrace/v1/state_service.js";
import * as subscriptionService from "../../src/gen/millrace/v1/subscription_service.js";
import * as topicService from "../../src/gen/millrace/v1/topic_service.js";
import * as routeGuide from "../../src/gen/routeguide/route_guide.js";
import {
  BackwardWriter,
  decodeRecordsMessage,
  encodePageMessage,
  withoutPrefix,
  stampBatches,
  type ReceivedRecord,
  splitRequest,
  writeRecord,
} from "../../src/wire/index.js";
import { msOfDuration } from "../../src/wire/duration.js";
import { loadedMessage } from "../support/loaded-protos.js";
import { asGenerated, ownMessages, type PlainMessage, plainMessage } from "../support/message-arbitrary.js";
import { recordArbitrary } from "../support/record-arbitrary.js";

/** Compares the wire format with a foreign codec: what either writes, the other reads the same. */

interface GeneratedCodec {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

/** By package: both have a Rectangle. */
const generatedCodecs = {
  "millrace.v1": {
    ...inspectService,
    ...record,
    ...recordService,
    ...stateService,
    ...subscriptionService,
    ...topicService,
  },
  routeguide: routeGuide,
} as unknown as Record<string, Record<string, GeneratedCodec>>;

describe("generated code", () => {
  test("covers every message of every service", () => {
    expect(ownMessages.length).toBeGreaterThan(30);
  });

  for (const type of ownMessages) {
    const generated = generatedCodecs[type.file.proto.package]?.[type.name];
    if (generated === undefined) throw new Error(`There is no generated code for ${type.typeName}`);
    const loaded = loadedMessage(type.typeName);

    test(`${type.typeName}, written by either codec, is read the same by the other`, () => {
      fc.assert(
        fc.property(plainMessage(type), (plain) => {
          const message = asGenerated(type, plain);
          expect(loaded.deserialize(Buffer.from(generated.encode(message).finish()))).toEqual(plain);
          expect(generated.decode(loaded.serialize(plain))).toEqual(message);
        }),
        { numRuns: 200 },
      );
    });
  }
});

describe("wire code", () => {
  const page = { epoch: 7_123_456_789_012, firstOffset: 2 ** 40 + 5, timeMicros: 1_700_000_000_123_456 };
  const stamp = { seconds: 1_700_000_000, nanos: 123_456_000 };
  // Generated code omits a field at -0, as the default; the others write it.
  const positiveZero = ({ latitude, longitude }: record.Location) => ({
    latitude: latitude + 0,
    longitude: longitude + 0,
  });
  const anyRecord = recordArbitrary.map((each) => ({
    ...each,
    location: each.location && positiveZero(each.location),
  }));
  const records = fc.array(anyRecord, { minLength: 1, maxLength: 5 });

  /** A record in the other codec's form. The test above compares the generated code with that codec. */
  function plainOf(message: record.Record): PlainMessage {
    return loadedMessage("millrace.v1.Record").deserialize(
      Buffer.from(record.Record.encode(message).finish()),
    ) as PlainMessage;
  }

  test("pages that it makes for a foreign request are read by the other codec, as answers of Read and Follow", () => {
    fc.assert(
      fc.property(records, (messages) => {
        const plain = messages.map(plainOf);
        const request = loadedMessage("millrace.v1.AppendRequest").serialize({ topic: "t", records: plain, epoch: 3 });
        const { batch, rest } = splitRequest(request, defaultLimits);
        expect(recordService.AppendRequest.decode(rest)).toMatchObject({ topic: "t", epoch: 3, records: [] });
        const frames = stampBatches([batch], page.firstOffset, page.timeMicros);
        const next = { epoch: page.epoch, offset: page.firstOffset + plain.length };
        const message = withoutPrefix(encodePageMessage([frames.bytes], next));
        const expected = plain.map((each, index) => ({ ...each, time: stamp, offset: page.firstOffset + index }));
        for (const name of ["ReadResponse", "FollowResponse"]) {
          const read = loadedMessage(`millrace.v1.${name}`).deserialize(message);
          expect(read).toMatchObject({ records: expected, next });
          expect((read as { records: unknown }).records).toEqual(expected);
        }
      }),
    );
  });

  test("responses that the other codec writes are read by it", () => {
    fc.assert(
      fc.property(records, (messages) => {
        const plain = messages.map((each, index) => ({
          ...plainOf(each),
          time: stamp,
          offset: page.firstOffset + index,
        }));
        const next = { epoch: page.epoch, offset: page.firstOffset + plain.length };
        const written = loadedMessage("millrace.v1.FollowResponse").serialize({
          records: plain,
          next,
          fellBehind: { lag: 77 },
        });
        const read = decodeRecordsMessage(written);
        expect(read.next).toEqual(next);
        expect(recordService.FollowResponse.decode(read.rest ?? Buffer.alloc(0)).event).toEqual({
          $case: "fellBehind",
          value: { lag: 77 },
        });
        expect(read.records.map(({ offset }) => offset)).toEqual(plain.map(({ offset }) => offset));
        expect(read.records.map(({ timeMicros }) => timeMicros)).toEqual(plain.map(() => page.timeMicros));
        expect(read.records.map(contentOf)).toEqual(messages.map(contentOfGenerated));
      }),
    );
  });

  test("records that it writes for a client are read by the other codec", () => {
    fc.assert(
      fc.property(anyRecord, (message) => {
        const { body, eventTime, lifetime, ...others } = message;
        const lifetimeMs = lifetime && msOfDuration(lifetime);
        const writer = new BackwardWriter(16);
        writeRecord(
          writer,
          { ...others, ...(body !== undefined && { [body.$case]: body.value }), eventTimestamp: eventTime, lifetimeMs },
          "record",
        );
        const { time: _, offset: __, ...expected } = plainOf(message) as { time: unknown; offset?: unknown };
        const read = loadedMessage("millrace.v1.Record").deserialize(Buffer.from(writer.written));
        expect(read).toEqual({ ...expected, time: null });
      }),
    );
  });

  function contentOf(read: ReceivedRecord) {
    const { key, attributes, body, location, eventTimestamp, lifetimeMs } = read;
    return {
      key,
      attributes: [...attributes],
      body: body && { ...body, value: plainBytes(body.value) },
      location,
      eventTimestamp,
      lifetimeMs,
    };
  }

  function contentOfGenerated({ key, attributes, body, location, eventTime, lifetime }: record.Record) {
    return {
      key,
      attributes: [...attributes],
      body: body && { kind: body.$case, value: plainBytes(body.value) },
      location,
      eventTimestamp: eventTime,
      lifetimeMs: lifetime && msOfDuration(lifetime),
    };
  }

  /** Makes views and arrays of their own compare as bytes. */
  function plainBytes(value: unknown): unknown {
    if (value instanceof Uint8Array) return [...value];
    if (typeof value === "object" && value !== null && "typeUrl" in value && "value" in value) {
      return { typeUrl: value.typeUrl, value: plainBytes(value.value) };
    }
    return value;
  }
});
