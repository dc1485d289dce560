import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  type AnyDefinition,
  load,
  type MethodDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from "@grpc/proto-loader";
import { CommandError } from "./output.js";

export type DynamicMethod = MethodDefinition<object, object>;

/** The API, as it lies in the package, and what a server speaks besides, which the build copies to dist/. */
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

/** Loads the definitions of our services, health and reflection; or those of `file` alone. */
export async function loadDefinitions(file: string | undefined): Promise<PackageDefinition> {
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
    // The forms that proto3 JSON has; `json-message.ts` does the rest.
    return await load(files, { includeDirs, longs: String, enums: String, bytes: String });
  } catch (error) {
    throw new CommandError(`--proto: cannot load ${files.join(", ")}: ${(error as Error).message}`, 2, error);
  }
}

/** Finds SERVICE/METHOD; the service's package may be left out where its name is unique. */
export function findMethod(definitions: PackageDefinition, name: string): DynamicMethod {
  const [service = "", method = ""] = name.replace(/^\//, "").split("/");
  const services = Object.entries(definitions).filter((entry): entry is [string, ServiceDefinition] =>
    isService(entry[1]),
  );
  const exact = services.filter(([full]) => full === service);
  const found = exact.length > 0 ? exact : services.filter(([full]) => full.endsWith(`.${service}`));
  const methodsOf = ([full, definition]: [string, ServiceDefinition]) =>
    Object.keys(definition).map((each) => `${full}/${each}`);
  const definition = found.length === 1 ? found[0]?.[1][method] : undefined;
  if (definition !== undefined) return definition as DynamicMethod;
  const known = (found.length === 0 ? services : found).flatMap(methodsOf);
  throw new CommandError(`There is no method ${JSON.stringify(name)}. Known: ${known.join(", ")}`, 2);
}

function isService(definition: AnyDefinition): definition is ServiceDefinition {
  // Messages and enums say their format; a service is an object of methods.
  return !("format" in definition);
}
