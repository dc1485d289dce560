import { createFileRegistry, type DescField, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { fileDescriptorSet } from "../../src/gen/descriptor-set.js";
import {
  AnyTag,
  AttributeTag,
  frameTag,
  LocationTag,
  nextTag,
  PositionTag,
  RecordTag,
  TimeTag,
} from "../../src/wire/record-fields.js";
import { WireType } from "../../src/wire/varint.js";

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet()));

/** The wire types of the fields in these messages that are not length-delimited. */
const wireTypes: Partial<Record<ScalarType, number>> = {
  [ScalarType.DOUBLE]: WireType.fixed64,
  [ScalarType.FIXED64]: WireType.fixed64,
  [ScalarType.INT32]: WireType.varint,
  [ScalarType.INT64]: WireType.varint,
  [ScalarType.UINT64]: WireType.varint,
};

function tagOf(field: DescField): number {
  const type = field.fieldKind === "scalar" ? wireTypes[field.scalar] : undefined;
  return field.number * 8 + (type ?? WireType.bytes);
}

function tagsOf(typeName: string): { [field: string]: number } {
  const fields = registry.getMessage(typeName)?.fields ?? [];
  return Object.fromEntries(fields.map((field) => [field.localName, tagOf(field)]));
}

describe("record fields", () => {
  test("have the tags of the proto, and are complete", () => {
    expect(RecordTag).toEqual(tagsOf("millrace.v1.Record"));
    expect(LocationTag).toEqual(tagsOf("millrace.v1.Location"));
    expect(PositionTag).toEqual(tagsOf("millrace.v1.Position"));
    expect(AnyTag).toEqual(tagsOf("google.protobuf.Any"));
    expect(TimeTag).toEqual(tagsOf("google.protobuf.Timestamp"));
    expect(TimeTag).toEqual(tagsOf("google.protobuf.Duration"));
    // A map's entry has `key = 1` and `value = 2`, by Protobuf's own rule.
    expect(AttributeTag).toEqual({ key: 8 + WireType.bytes, value: 16 + WireType.bytes });
  });

  test("are one byte each, and length-delimited or eight bytes wide in a record", () => {
    for (const tag of Object.values(RecordTag)) {
      expect(tag).toBeLessThan(0x80);
      expect([WireType.bytes, WireType.fixed64]).toContain(tag & 7);
    }
  });

  test("frameTag and nextTag, are those of every message that carries records or parked records", () => {
    const carriers: string[] = [];
    for (const { messages, proto } of registry.files) {
      if (proto.package !== "millrace.v1") continue;
      for (const { name, fields } of messages) {
        const records = fields.filter((field) => /\.(Parked)?Record$/.test(field.message?.typeName ?? ""));
        // A request names its topic first.
        if (name.endsWith("Request") || records.length === 0) continue;
        carriers.push(name);
        expect(records.map(tagOf), name).toEqual([frameTag]);
        for (const next of fields.filter(({ localName }) => localName === "next")) expect(tagOf(next)).toBe(nextTag);
      }
    }
    expect(carriers).toEqual(
      expect.arrayContaining(["ReadResponse", "FollowResponse", "ConsumeResponse", "ParkedRecord"]),
    );
  });
});
