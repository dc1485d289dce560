import { type AnyDesc, create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { readdir } from "node:fs/promises";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { jsonOfMessage, messageFromJson } from "../../src/cli/json-message.js";
import { findMethod, loadTypes } from "../../src/cli/load-methods.js";
import { fileDescriptorSet } from "../../src/gen/descriptor-set.js";
import { jsonInputs } from "./echo/json-inputs.js";

const proto = new URL("echo/echo.proto", import.meta.url).pathname;

test("messageFromJson() accepts proto3 JSON and refuses everything else", async () => {
  const types = await loadTypes(proto);
  const { input } = findMethod(types, "Echo/Say").method;
  const isTaken = (json: string): boolean => {
    try {
      messageFromJson(types, input, { text: json, where: "it" });
      return true;
    } catch (error) {
      expect(error).toMatchObject({ message: expect.stringMatching(/^it: ./) as string, exitCode: 2 });
      return false;
    }
  };
  const verdicts = jsonInputs.map(({ json }) => ({ json, isRight: isTaken(json) }));
  expect(verdicts).toEqual(jsonInputs.map(({ json, isRight }) => ({ json, isRight })));
});

test("loadTypes() describes the API as protoc does", async () => {
  const exact = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet()));
  const api = new URL("../../proto/millrace/v1/", import.meta.url).pathname;
  let compared = 0;
  for (const file of (await readdir(api)).filter((name) => name.endsWith("_service.proto"))) {
    for (const type of await loadTypes(api + file)) {
      // proto-loader includes the well-known types with other field names; they have their own JSON.
      if (type.typeName.startsWith("google.protobuf.")) continue;
      expect(shapeOf(type)).toEqual(shapeOf(exact.get(type.typeName)));
      compared += 1;
    }
  }
  expect(compared).toBeGreaterThan(100);
});

test("jsonOfMessage() gives the bytes of an Any of an unknown type", async () => {
  const types = await loadTypes(proto);
  const { input } = findMethod(types, "Echo/Say").method;
  const any = { typeUrl: "example.org/some.Type", value: Uint8Array.of(1, 2, 255) };
  const bytes = toBinary(input, create(input, { any, inners: [{ text: "x" }] }));
  expect(jsonOfMessage(types, input, bytes)).toEqual({
    inners: [{ text: "x" }],
    any: { "@type": "example.org/some.Type", value: "AQL/" },
  });
});

/** The parts of a descriptor that JSON and bytes depend on. */
function shapeOf(type: AnyDesc | undefined): unknown {
  if (type?.kind === "message") {
    return type.fields
      .toSorted((one, other) => one.number - other.number)
      .map((field) => ({
        ...pick(field, [
          "name",
          "number",
          "jsonName",
          "fieldKind",
          "scalar",
          "listKind",
          "mapKind",
          "mapKey",
          "presence",
        ]),
        message: field.message?.typeName,
        enum: field.enum?.typeName,
        oneof: field.oneof?.name,
      }));
  }
  if (type?.kind === "enum") return type.values.map(({ name, number }) => [name, number]);
  if (type?.kind !== "service") return type?.kind;
  return type.methods.map(({ name, methodKind, input, output }) => [name, methodKind, input.typeName, output.typeName]);
}

function pick(object: object, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, (object as Record<string, unknown>)[name]]));
}
