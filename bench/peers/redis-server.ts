import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { Bench } from "../harness/bench.js";
import { findFreePort } from "../harness/free-port.js";
import { startProgram, versionOf } from "../harness/program.js";

/**
 * A Redis for this row that syncs its log to disk before it answers, or every second. Undefined: it is not on PATH.
 */
export async function startRedisServer(
  bench: Bench,
  appendfsync: "always" | "everysec" = "always",
): Promise<{ readonly port: number } | undefined> {
  if (versionOf("redis-server") === undefined) return undefined;
  const port = await findFreePort();
  const folder = await mkdtemp(join(bench.folder, "redis-"));
  const flags = {
    bind: "127.0.0.1",
    port: String(port),
    dir: folder,
    appendonly: "yes",
    appendfsync,
    // Snapshots beside the log would only slow it down.
    save: "",
  };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  await startProgram(bench, "redis-server", args, port);
  return { port };
}

export const redisIsMissing = "redis-server is not on PATH: not measured";
