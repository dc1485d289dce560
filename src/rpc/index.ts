export { createGrpcServer } from "./grpc-server.js";
export { defaultRouteGuideTopics } from "./route-guide/route-guide-service.js";
export type { DrainOutcome, GrpcServer, GrpcServerOptions, GrpcServerParts } from "./grpc-server.js";
export type { RouteGuideTopics } from "./route-guide/route-guide-service.js";
