import { fromBinary } from "@bufbuild/protobuf";
import { type DescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { fileDescriptorSet } from "../../src/gen/descriptor-set.js";

/** The API's files as other languages generate from them: by protoc, from `proto/millrace` alone, without a mapping. */
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

test("there is a file a service, and one of what they share", () => {
  expect(files).toHaveLength(6);
});

describe.each(files.map((file) => ({ name: file.name, file })))("$name", ({ name, file }) => {
  test("says where each language puts it", () => {
    expect(file.options).toMatchObject(options);
  });

  test("has a Java class of its own for what is of the whole file", () => {
    const [, base = ""] = /(\w+)\.proto$/.exec(name) ?? [];
    const words = base.split("_").map((word) => word.charAt(0).toUpperCase() + word.slice(1));
    expect(file.options?.javaOuterClassname).toBe(`${words.join("")}Proto`);
  });

  test("names no field as Python has a keyword: it could not be set by name", () => {
    const names = (message: DescriptorProto): string[] => [
      ...message.field.map((field) => field.name),
      ...message.nestedType.flatMap(names),
    ];
    expect(file.messageType.flatMap(names).filter((field) => pythonKeywords.has(field))).toEqual([]);
  });

  test("imports the API and google/protobuf alone", () => {
    expect(file.dependency).not.toEqual([]);
    for (const imported of file.dependency) expect(imported).toMatch(/^(google\/protobuf|millrace\/v1)\/\w+\.proto$/);
  });
});
