/**
 * proto-loader gives one descriptor per package, and leaves out what protoc adds: full type names, JSON names, which
 * fields are `optional`, and an order in which each file comes after its imports.
 */

import type { DescriptorProto, EnumDescriptorProto, FileDescriptorProto } from "@bufbuild/protobuf/wkt";

/** Completes the files in place and sorts them. Throws an Error that names a missing type. */
export function completeDescriptors(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const fileOf = new Map<string, FileDescriptorProto>();
  for (const file of files) {
    for (const name of typesIn(scopeOf(file), file.messageType, file.enumType)) fileOf.set(name, file);
  }
  const needed = new Map(files.map((file) => [file, new Set(complete(file, fileOf))]));
  const ordered: FileDescriptorProto[] = [];
  const begun = new Set<FileDescriptorProto>();
  const place = (file: FileDescriptorProto): void => {
    if (begun.has(file)) return;
    begun.add(file);
    for (const each of needed.get(file) ?? []) place(each);
    ordered.push(file);
  };
  for (const file of files) place(file);
  return ordered;
}

const scopeOf = (file: FileDescriptorProto): string => (file.package === "" ? "" : `.${file.package}`);

/** The full names of all types in a scope. */
function* typesIn(
  scope: string,
  messages: readonly DescriptorProto[],
  enums: readonly EnumDescriptorProto[],
): Generator<string, void> {
  for (const { name } of enums) yield `${scope}.${name}`;
  for (const { name, nestedType, enumType } of messages) {
    yield `${scope}.${name}`;
    yield* typesIn(`${scope}.${name}`, nestedType, enumType);
  }
}

/** Completes a file. Yields the files of the types that it uses. */
function* complete(
  file: FileDescriptorProto,
  fileOf: ReadonlyMap<string, FileDescriptorProto>,
): Generator<FileDescriptorProto, void> {
  const found: FileDescriptorProto[] = [];
  /** Searches the scope, then each enclosing one. */
  const fullName = (name: string, scope: string): string => {
    if (name.startsWith(".")) return name;
    for (let outer = scope; ; outer = outer.slice(0, outer.lastIndexOf("."))) {
      const owner = fileOf.get(`${outer}.${name}`);
      if (owner !== undefined) {
        found.push(owner);
        return `${outer}.${name}`;
      }
      if (outer === "") throw new Error(`${scope.slice(1)} uses an unknown type ${name}`);
    }
  };
  const completeMessage = (message: DescriptorProto, outer: string): void => {
    const scope = `${outer}.${message.name}`;
    for (const field of message.field) {
      if (field.typeName !== "") field.typeName = fullName(field.typeName, scope);
      field.jsonName = field.name.replaceAll(/_+(.?)/g, (_, letter: string) => letter.toUpperCase());
      // An `optional` field of proto3 is the only one in a oneof whose name is an underscore and the field's name.
      field.proto3Optional = message.oneofDecl[field.oneofIndex]?.name === `_${field.name}` && hasOneof(field);
    }
    for (const nested of message.nestedType) completeMessage(nested, scope);
  };
  for (const message of file.messageType) completeMessage(message, scopeOf(file));
  for (const { method } of file.service) {
    for (const each of method) {
      each.inputType = fullName(each.inputType, scopeOf(file));
      each.outputType = fullName(each.outputType, scopeOf(file));
    }
  }
  yield* found;
}

const hasOneof = (field: DescriptorProto["field"][number]): boolean => Object.hasOwn(field, "oneofIndex");
