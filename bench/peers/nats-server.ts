import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import type { Bench } from "../harness/bench.js";
import { findFreePort } from "../harness/free-port.js";
import { startProgram, versionOf } from "../harness/program.js";

/** A NATS server for this row with a JetStream file store. Undefined: it is not on PATH. */
export async function startNatsServer(bench: Bench): Promise<{ readonly port: number } | undefined> {
  if (versionOf("nats-server") === undefined) return undefined;
  const port = await findFreePort();
  const store = await mkdtemp(join(bench.folder, "nats-"));
  await startProgram(bench, "nats-server", ["-a", "127.0.0.1", "-p", String(port), "-js", "-sd", store], port);
  return { port };
}

export const natsIsMissing = "nats-server is not on PATH: not measured";
