export { createGrpcServer, defaultGrpcServerOptions } from "./grpc-server.js";
export { statusOf } from "./status.js";
export type { DrainOutcome, GrpcServer, GrpcServerOptions, GrpcServerParts } from "./grpc-server.js";
