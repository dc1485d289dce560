/** Two nodes on one Postgres, each with a proxy to its clients and one to its database. */

import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { type FaultProxy, openFaultProxy } from "../../support/fault-proxy.js";
import { type PostgresServer, startPostgresServer } from "../../support/postgres-server.js";
import { type ServerProcess, startServerProcess } from "../../support/server-process.js";

export const graceMs = 1000;
/** The records of a lost node are free after this time. */
export const leaseMs = 3000;

export class Node {
  readonly name: string;
  /** Between it and its clients. */
  readonly wire: FaultProxy;
  /** Between it and the database. */
  readonly database: FaultProxy;
  readonly #start: () => Promise<ServerProcess>;
  #server: ServerProcess;
  /** The logs of all its processes. */
  readonly #logs: (readonly string[])[];
  /** Whether it is being stopped on purpose. */
  #isStopping = false;
  /** It ended, although nobody stopped it. */
  failure: Error | undefined;

  private constructor(
    name: string,
    parts: { wire: FaultProxy; database: FaultProxy; start: () => Promise<ServerProcess>; server: ServerProcess },
  ) {
    this.name = name;
    this.wire = parts.wire;
    this.database = parts.database;
    this.#start = parts.start;
    this.#server = parts.server;
    this.#logs = [parts.server.log];
    this.#watch();
  }

  static async start(name: string, databaseUrl: string): Promise<Node> {
    const url = new URL(databaseUrl);
    const database = await openFaultProxy({ host: url.hostname, port: Number(url.port) });
    url.port = String(database.port);
    const args = `--drain-grace-ms ${graceMs} --session-lease-ms ${leaseMs} --log-level warn`.split(" ");
    const startOn = (address: string) => startServerProcess(["--listen", address, "--database-url", url.href, ...args]);
    const server = await startOn("127.0.0.1:0");
    const port = Number(server.address.split(":")[1]);
    const wire = await openFaultProxy({ host: "127.0.0.1", port });
    return new Node(name, { wire, database, start: () => startOn(server.address), server });
  }

  /** The address for clients, through its proxy. */
  get address(): string {
    return `127.0.0.1:${this.wire.port}`;
  }

  /** Without its proxy. */
  get ownAddress(): string {
    return this.#server.address;
  }

  /** Every line that it logged. */
  get log(): readonly string[] {
    return this.#logs.flat();
  }

  signal(name: NodeJS.Signals): void {
    this.#server.process.kill(name);
  }

  /** Ends it, and restarts it after `work`. Returns how it ended, and how long that took. */
  async restart(signal: NodeJS.Signals): Promise<{ readonly code: number | NodeJS.Signals; readonly endedMs: number }> {
    this.#isStopping = true;
    const startedAt = performance.now();
    const code = await this.#server.stop(signal);
    const endedMs = performance.now() - startedAt;
    this.#server = await this.#start();
    this.#logs.push(this.#server.log);
    this.#isStopping = false;
    this.#watch();
    return { code, endedMs };
  }

  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#server.process.pid}/status`, "utf8").catch(() => "");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    await this.#server.stop("SIGKILL");
    await Promise.all([this.wire.close(), this.database.close()]);
  }

  #watch(): void {
    const { process: child, log } = this.#server;
    child.once("exit", (code, signal) => {
      if (this.#isStopping) return;
      this.failure = new Error(
        `Node ${this.name} ended by itself, with ${code ?? signal}:\n${log.slice(-20).join("\n")}`,
      );
    });
  }
}

export interface Fleet {
  readonly postgres: PostgresServer;
  readonly nodes: readonly [Node, Node];
  close(): Promise<void>;
}

export async function startFleet(): Promise<Fleet> {
  const postgres = await startPostgresServer();
  const nodes: Node[] = [];
  // One after the other: otherwise both would create the schema.
  for (const name of ["a", "b"]) nodes.push(await Node.start(name, postgres.url));
  return {
    postgres,
    nodes: nodes as [Node, Node],
    async close() {
      await Promise.all(nodes.map((node) => node.close()));
      await postgres.remove();
    },
  };
}

/** Checks that no call ended as a fault of ours, and no node by itself. */
export function expectNoFaultOfOurs({ nodes }: Fleet): void {
  for (const node of nodes) {
    if (node.failure !== undefined) throw node.failure;
    const faults = node.log.filter((line) => line.includes("A call failed") || line.includes("background work failed"));
    expect(faults.slice(0, 3)).toEqual([]);
  }
}
