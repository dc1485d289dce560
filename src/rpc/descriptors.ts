import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

/** The files of a descriptor set, by name and by symbol. */
export interface Descriptors {
  /** The file and then all its imports, also indirect ones, each encoded. Undefined: there is no such file. */
  fileByName(name: string): Uint8Array[] | undefined;
  /** The same for the file that declares a symbol, by its full name without a leading dot. */
  fileBySymbol(symbol: string): Uint8Array[] | undefined;
}

/** Indexes an encoded `google.protobuf.FileDescriptorSet`. */
export function indexDescriptors(descriptorSet: Uint8Array): Descriptors {
  const files = new Map<string, FileDescriptorProto>();
  const fileOfSymbol = new Map<string, string>();
  for (const file of fromBinary(FileDescriptorSetSchema, descriptorSet).file) {
    files.set(file.name, file);
    for (const symbol of symbolsOf(file)) fileOfSymbol.set(symbol, file.name);
  }
  const withImports = (name: string, found = new Map<string, FileDescriptorProto>()) => {
    const file = files.get(name);
    if (file === undefined || found.has(name)) return found;
    found.set(name, file);
    for (const dependency of file.dependency) withImports(dependency, found);
    return found;
  };
  const fileByName = (name: string) => {
    if (!files.has(name)) return undefined;
    return [...withImports(name).values()].map((file) => toBinary(FileDescriptorProtoSchema, file));
  };
  return {
    fileByName,
    fileBySymbol(symbol) {
      const name = fileOfSymbol.get(symbol);
      return name === undefined ? undefined : fileByName(name);
    },
  };
}

function* symbolsOf(file: FileDescriptorProto): Generator<string> {
  const scope = file.package === "" ? "" : `${file.package}.`;
  for (const service of file.service) {
    yield scope + service.name;
    for (const method of service.method) yield `${scope}${service.name}.${method.name}`;
  }
  for (const message of file.messageType) yield* symbolsOfMessage(message, scope);
  for (const each of file.enumType) yield* symbolsOfEnum(each, scope);
  for (const extension of file.extension) yield scope + extension.name;
}

function* symbolsOfMessage(message: DescriptorProto, scope: string): Generator<string> {
  const name = scope + message.name;
  yield name;
  for (const part of [...message.field, ...message.oneofDecl, ...message.extension]) yield `${name}.${part.name}`;
  for (const nested of message.nestedType) yield* symbolsOfMessage(nested, `${name}.`);
  for (const each of message.enumType) yield* symbolsOfEnum(each, `${name}.`);
}

/** Enum values are siblings of their enum, as in C++; clients also ask for ENUM.VALUE. */
function* symbolsOfEnum(each: EnumDescriptorProto, scope: string): Generator<string> {
  yield scope + each.name;
  for (const value of each.value) {
    yield scope + value.name;
    yield `${scope}${each.name}.${value.name}`;
  }
}
