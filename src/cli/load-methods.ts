import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { create, createFileRegistry, type DescMethod, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { load } from "@grpc/proto-loader";
import { completeDescriptors } from "./complete-descriptors.js";
import { CommandError } from "./output.js";

/** The API's protos in the package, and those of the server's other services, which the build copies to dist/. */
const apiFolder = fileURLToPath(new URL("../../proto", import.meta.url));
const spokenFolder = fileURLToPath(new URL("../spoken", import.meta.url));
const ownFiles = [
  "millrace/v1/topic_service.proto",
  "millrace/v1/record_service.proto",
  "millrace/v1/subscription_service.proto",
  "millrace/v1/state_service.proto",
  "millrace/v1/inspect_service.proto",
  "routeguide/route_guide.proto",
  "google/rpc/error_details.proto",
  "google/rpc/status.proto",
  "grpc/reflection/v1/reflection.proto",
  "grpc/reflection/v1alpha/reflection.proto",
];

/** Loads the types of the server's own services, health and reflection; or those of `file` alone. */
export async function loadTypes(file: string | undefined): Promise<FileRegistry> {
  const require = createRequire(import.meta.url);
  const health = path.join(path.dirname(require.resolve("grpc-health-check/package.json")), "proto");
  const files = file === undefined ? [...ownFiles, "health/v1/health.proto"] : [path.resolve(file)];
  const includeDirs = [
    ...(file === undefined ? [] : [path.dirname(path.resolve(file))]),
    apiFolder,
    spokenFolder,
    health,
  ];
  try {
    const loaded = await load(files, { includeDirs, keepCase: true });
    const packages = new Map<string, FileDescriptorProto>();
    for (const definition of Object.values(loaded)) {
      // Services have no descriptors of their own: they are in the files of their types.
      const described = "fileDescriptorProtos" in definition ? (definition.fileDescriptorProtos as Buffer[]) : [];
      for (const bytes of described) {
        const descriptor = fromBinary(FileDescriptorProtoSchema, bytes);
        packages.set(descriptor.package, descriptor);
      }
    }
    return createFileRegistry(create(FileDescriptorSetSchema, { file: completeDescriptors([...packages.values()]) }));
  } catch (error) {
    const what = file === undefined ? "Cannot load the server's own types" : `--proto: cannot load ${files.join(", ")}`;
    throw new CommandError(`${what}: ${(error as Error).message}`, 2, error);
  }
}

/** A method, with the types that its messages may have. */
export interface FoundMethod {
  readonly types: FileRegistry;
  readonly method: DescMethod;
}

/** Finds SERVICE/METHOD; the service's package may be left out where its name is unique. */
export function findMethod(types: FileRegistry, name: string): FoundMethod {
  const [serviceName = "", methodName = ""] = name.replace(/^\//, "").split("/");
  const services = [...types].filter((type) => type.kind === "service");
  const exact = services.filter(({ typeName }) => typeName === serviceName);
  const found = exact.length > 0 ? exact : services.filter(({ typeName }) => typeName.endsWith(`.${serviceName}`));
  const method = found.length === 1 ? found[0]?.methods.find((each) => each.name === methodName) : undefined;
  if (method !== undefined) return { types, method };
  const known = (found.length === 0 ? services : found).flatMap(({ typeName, methods }) =>
    methods.map((each) => `${typeName}/${each.name}`),
  );
  throw new CommandError(`There is no method ${JSON.stringify(name)}. Known: ${known.join(", ")}`, 2);
}
