import { MillraceError } from "../../core/index.js";
import { StoreUnavailableError } from "../../store/index.js";
import type { Logger } from "../../telemetry/index.js";

/**
 * A logger for background work of the node and of each subscription. A failure because the database is unavailable is
 * logged at level debug, since the store reports the outage once.
 */
export function quietWhileAway(logger: Logger): Logger {
  return {
    warn: (fields, text) => (isOfOutage(fields) ? logger.debug(fields, text) : logger.warn(fields, text)),
    error: (fields, text) => (isOfOutage(fields) ? logger.debug(fields, text) : logger.error(fields, text)),
    debug: (fields, text) => logger.debug(fields, text),
    info: (fields, text) => logger.info(fields, text),
  };
}

function isOfOutage(fields: object): boolean {
  if (!("err" in fields)) return false;
  const { err } = fields;
  return (
    err instanceof StoreUnavailableError ||
    (err instanceof MillraceError && (err.code === "database-unavailable" || err.code === "lane-full"))
  );
}
