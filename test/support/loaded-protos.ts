/** The same protos through another codec: `@grpc/proto-loader`, which reads them as text, and protobuf.js. */

import { loadSync, type MessageTypeDefinition } from "@grpc/proto-loader";

const folders = ["../../proto", "../../proto/spoken"].map((folder) => new URL(folder, import.meta.url).pathname);

/** Numbers as such, enums by number, every field there but the members of oneofs that are not set. */
export const loadedProtos = loadSync(
  [
    ...["record_service", "subscription_service", "state_service", "topic_service", "inspect_service"].map(
      (name) => `millrace/v1/${name}.proto`,
    ),
    "routeguide/route_guide.proto",
  ],
  { includeDirs: folders, longs: Number, enums: Number, defaults: true, arrays: true, objects: true },
);

type LoadedMessage = MessageTypeDefinition<object, object>;

/** The codec of one message, by its full name. */
export function loadedMessage(typeName: string): Pick<LoadedMessage, "serialize" | "deserialize"> {
  const definition = loadedProtos[typeName];
  if (definition === undefined || !("serialize" in definition)) throw new Error(`There is no message ${typeName}`);
  return definition as LoadedMessage;
}
