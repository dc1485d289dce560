export { systemClock } from "./clock.js";
export { createLiveStreams } from "./live-streams.js";
export { createLogger, silentLogger } from "./logger.js";
export { createMetrics } from "./metrics.js";
export type { Clock } from "./clock.js";
export type { LiveStream, LiveStreams } from "./live-streams.js";
export type { Logger, LogLevel } from "./logger.js";
export type { Metrics } from "./metrics.js";
