import { type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { type ErrorCode, invalidArgument, MillraceError, topicNotFound } from "../../src/core/index.js";
import { BadRequest, ResourceInfo, RetryInfo } from "../../src/gen/google/rpc/error_details.js";
import { TopicServiceService } from "../../src/gen/millrace/v1/topic_service.js";
import { internalStatus, statusOf, statusOfError } from "../../src/rpc/status.js";
import { callUnary, closeAll, errorInfo, richStatus, startServer } from "./rpc-server.js";

afterEach(closeAll);

/** The error that a client receives when the engine throws this. */
async function received(error: unknown) {
  const { client, logger } = await startServer({ topics: { get: () => Promise.reject(error) } });
  const got = await callUnary(client, TopicServiceService.getTopic, { topic: "t" });
  if (!(got instanceof Error)) throw new Error("The call went well");
  return { error: got as ServiceError, logger };
}

function detail<T>(error: ServiceError, type: string, decode: (bytes: Uint8Array) => T): T | undefined {
  const found = richStatus(error).details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${type}`);
  return found && decode(found.value);
}

describe("a refusal reaches the client", () => {
  const codes: Record<Exclude<ErrorCode, "internal">, string> = {
    "invalid-argument": "INVALID_ARGUMENT",
    "topic-not-found": "NOT_FOUND",
    "topic-deleted": "NOT_FOUND",
    "topic-exists": "ALREADY_EXISTS",
    "topic-not-keyed": "FAILED_PRECONDITION",
    "state-building": "FAILED_PRECONDITION",
    "topic-closed": "FAILED_PRECONDITION",
    "topic-limit": "RESOURCE_EXHAUSTED",
    "epoch-mismatch": "FAILED_PRECONDITION",
    "offset-mismatch": "ABORTED",
    "producer-gap": "FAILED_PRECONDITION",
    "producer-fenced": "FAILED_PRECONDITION",
    "offset-out-of-range": "OUT_OF_RANGE",
    "fell-behind": "OUT_OF_RANGE",
    "subscription-not-found": "NOT_FOUND",
    "subscription-exists": "ALREADY_EXISTS",
    "consumer-fenced": "FAILED_PRECONDITION",
    "consumer-limit": "RESOURCE_EXHAUSTED",
    "stale-delivery": "FAILED_PRECONDITION",
    "parked-not-found": "NOT_FOUND",
    "answer-too-large": "RESOURCE_EXHAUSTED",
    "publish-budget-exceeded": "RESOURCE_EXHAUSTED",
    "lane-full": "RESOURCE_EXHAUSTED",
    "call-ended": "CANCELLED",
    "database-unavailable": "UNAVAILABLE",
    draining: "UNAVAILABLE",
    "data-loss": "DATA_LOSS",
  };
  for (const [code, name] of Object.entries(codes) as [ErrorCode, string][]) {
    test(`${code} as ${name}, with text and details`, async () => {
      const text = 'Cannot: 100 % of "тема"\nare taken 🚫';
      const { error } = await received(new MillraceError(code, text, { metadata: { topic: "t", next_offset: "7" } }));
      expect(status[error.code]).toBe(name);
      expect(error.details).toBe(text);
      expect(richStatus(error)).toMatchObject({ code: error.code, message: text });
      expect(errorInfo(error)).toEqual({
        reason: code.toUpperCase().replaceAll("-", "_"),
        metadata: { topic: "t", next_offset: "7" },
      });
    });
  }

  test("with the fields that are wrong", async () => {
    const { error } = await received(invalidArgument("records[3].key", "is too long"));
    expect(detail(error, "BadRequest", BadRequest.decode)).toEqual({
      fieldViolations: [{ field: "records[3].key", description: "is too long", reason: "" }],
    });
  });

  test("with the wait before a retry", async () => {
    const { error } = await received(new MillraceError("lane-full", "Full", { retryDelayMs: 1250 }));
    expect(detail(error, "RetryInfo", RetryInfo.decode)).toEqual({ retryDelay: { seconds: 1, nanos: 250_000_000 } });
  });

  test("with the topic that it is about", async () => {
    const { error } = await received(topicNotFound("orders"));
    expect(detail(error, "ResourceInfo", ResourceInfo.decode)).toMatchObject({
      resourceType: "millrace.v1.Topic",
      resourceName: "orders",
    });
  });

  test("with a text that ends in half a character", async () => {
    const { error } = await received(new MillraceError("invalid-argument", `Cut "${"🙂".slice(0, 1)}"`));
    expect(error.details).toBe('Cut "\uFFFD"');
  });

  test("clipped, when it is long in every part", async () => {
    const violations = Array.from({ length: 1000 }, (_, index) => ({
      field: `records[${index}]`,
      description: "ü".repeat(60_000),
    }));
    const metadata = { topic: "x".repeat(60_000), next_offset: "7" };
    const { error } = await received(new MillraceError("topic-closed", "🚫".repeat(60_000), { violations, metadata }));
    expect(error.code).toBe(status.FAILED_PRECONDITION);
    expect(error.details).toMatch(/^(🚫)+…$/u);
    expect(errorInfo(error).metadata.next_offset).toBe("7");
  });
});

describe("an internal error reaches the client", () => {
  for (const fault of [new TypeError("secret"), new MillraceError("internal", "secret"), "secret", undefined]) {
    test(`as INTERNAL with the id in the log, without its text: ${String(fault)}`, async () => {
      const { error, logger } = await received(fault);
      expect(error.code).toBe(status.INTERNAL);
      expect(error.details + JSON.stringify(richStatus(error))).not.toContain("secret");
      const { id } = errorInfo(error).metadata;
      expect(error.details).toContain(id);
      expect(logger.lines).toContainEqual({
        level: "error",
        fields: { id, method: "/millrace.v1.TopicService/GetTopic", err: fault },
        text: "A call failed",
      });
    });
  }
});

test("statusOfError() fits into trailers with any texts", () => {
  // Also lone surrogates, which fast-check's own units leave out.
  const text = fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 3000, size: "max" })
    .map((units) => units.map((unit) => String.fromCharCode(unit)).join(""));
  const codes = fc.constantFrom(...(Object.keys(statusOf) as ErrorCode[]));
  const violations = fc.array(fc.record({ field: text, description: text }), { maxLength: 20 });
  fc.assert(
    fc.property(
      codes,
      text,
      fc.dictionary(text, text, { maxKeys: 30 }),
      violations,
      (code, message, metadata, faults) => {
        const got = statusOfError(new MillraceError(code, message, { metadata, violations: faults }));
        expect(encodeURI(got.details).length).toBeLessThanOrEqual(1024);
        expect(Buffer.from(got.details).toString()).toBe(got.details);
        const [encoded] = got.metadata.get("grpc-status-details-bin");
        expect(encoded?.length).toBeLessThanOrEqual(3072);
      },
    ),
  );
});

test("internalStatus() contains its id", () => {
  expect(internalStatus("abc").details).toContain("abc");
});
