export { createGrpcServer } from "./grpc-server.js";
export type { DrainOutcome, GrpcServer, GrpcServerOptions, GrpcServerParts } from "./grpc-server.js";
