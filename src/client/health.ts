import { varintLength, writeVarint } from "../wire/index.js";
import type { Connection, MethodShape, UnaryOptions } from "./connection.js";

/** The health of a service, as `grpc.health.v1.Health` reports it. */
export type Health = "UNKNOWN" | "SERVING" | "NOT_SERVING" | "SERVICE_UNKNOWN";

const names: readonly Health[] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** The request has one string, the response one enum: not worth a generated file. */
const check: MethodShape<string, Health> = {
  path: "/grpc.health.v1.Health/Check",
  requestSerialize(service) {
    const name = Buffer.from(service);
    const head = Buffer.alloc(1 + varintLength(name.length), 0x0a);
    writeVarint(head, 1, name.length);
    return name.length === 0 ? name : Buffer.concat([head, name]);
  },
  // Field 1, `status`; absent when it is 0.
  responseDeserialize: (bytes) => names[bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0] ?? "UNKNOWN",
};

/** Asks once. `service` is a full name such as `millrace.v1.RecordService`; empty means the whole server. */
export function checkHealth(connection: Connection, service: string, options: UnaryOptions): Promise<Health> {
  return connection.unary(check, service, options);
}
