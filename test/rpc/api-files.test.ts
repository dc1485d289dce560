import { fromBinary } from "@bufbuild/protobuf";
import { type DescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { fileDescriptorSet } from "../../src/gen/descriptor-set.js";

/** The API's files must suit other languages, which run protoc on `proto/millrace` alone, without a mapping. */
const files = fromBinary(FileDescriptorSetSchema, fileDescriptorSet()).file.filter(({ name }) =>
  name.startsWith("millrace/"),
);

const options = {
  csharpNamespace: "Millrace.V1",
  goPackage: "millrace.dev/gen/go/millrace/v1;millracev1",
  javaMultipleFiles: true,
  javaPackage: "dev.millrace.v1",
  objcClassPrefix: "MLR",
  phpMetadataNamespace: "Millrace\\V1\\Metadata",
  phpNamespace: "Millrace\\V1",
  rubyPackage: "Millrace::V1",
  swiftPrefix: "MillraceV1",
};

const pythonKeywords = new Set(
  `and as assert async await break class continue def del elif else except finally for from global if import in is lambda
  nonlocal not or pass raise return try while with yield`.split(/\s+/),
);

test("there is one file per service, and one for shared messages", () => {
  expect(files).toHaveLength(6);
});

describe.each(files.map((file) => ({ name: file.name, file })))("$name", ({ name, file }) => {
  test("has the package options of each language", () => {
    expect(file.options).toMatchObject(options);
  });

  test("has its own outer class in Java", () => {
    const [, base = ""] = /(\w+)\.proto$/.exec(name) ?? [];
    const words = base.split("_").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
    expect(file.options?.javaOuterClassname).toBe(`${words.join("")}Proto`);
  });

  test("has no field that is a Python keyword, which could not be set by name", () => {
    const names = (message: DescriptorProto): string[] => [
      ...message.field.map((field) => field.name),
      ...message.nestedType.flatMap(names),
    ];
    expect(file.messageType.flatMap(names).filter((field) => pythonKeywords.has(field))).toEqual([]);
  });

  test("imports only the API and google/protobuf", () => {
    expect(file.dependency).not.toEqual([]);
    for (const imported of file.dependency) expect(imported).toMatch(/^(google\/protobuf|millrace\/v1)\/\w+\.proto$/);
  });
});
