/** A database that is reachable but refuses to work: the log for operators, and the answers to callers. */

import { randomBytes } from "node:crypto";
import { expect, inject } from "vitest";
import { createClient } from "../../src/index.js";
import { runOn } from "../support/database.js";
import { startServerProcess } from "../support/server-process.js";

/** The node's database and role, and a way to run statements there as a superuser. */
export interface Refusing {
  readonly name: string;
  readonly role: string;
  /** Runs in the database. */
  readonly run: (text: string) => Promise<unknown>;
}

export interface Refusal {
  readonly sqlstate: string;
  /** What the caller receives. */
  readonly why: string;
  /** What the log says, in the database's words. */
  readonly cause: RegExp;
  /** Where the database's files are. Default: with the others'. */
  readonly tablespace?: string;
  readonly begin: (database: Refusing) => Promise<unknown>;
  readonly end: (database: Refusing) => Promise<unknown>;
}

/** Ends the connections of a role: changes apply to new ones. */
const endSessions = ({ role }: Refusing) =>
  `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${role}'`;

export const refusals: Readonly<Record<string, Refusal>> = {
  "a read-only database": {
    sqlstate: "25006",
    why: "The database takes no writes",
    cause: /read-only transaction/,
    begin: async (database) => {
      await database.run(`alter role ${database.role} set default_transaction_read_only = on`);
      await database.run(endSessions(database));
    },
    end: async (database) => {
      await database.run(`alter role ${database.role} reset default_transaction_read_only`);
      await database.run(endSessions(database));
    },
  },
  "a privilege that was revoked": {
    sqlstate: "42501",
    why: "The database does not allow this node its work",
    cause: /permission denied for table blocks/,
    begin: ({ run, role }) => run(`revoke insert on millrace.blocks from ${role}`),
    end: ({ run, role }) => run(`grant insert on millrace.blocks to ${role}`),
  },
  "too many connections": {
    sqlstate: "53300",
    why: "The database takes no more connections",
    cause: /too many connections for role/,
    begin: async (database) => {
      await database.run(`alter role ${database.role} connection limit 0`);
      await database.run(endSessions(database));
    },
    end: ({ run, role }) => run(`alter role ${role} connection limit -1`),
  },
};

/** Everything works before and after. Meanwhile the log has the cause, and callers receive a fitting answer. */
export async function refuseWork({ sqlstate, why, cause, tablespace, begin, end }: Refusal): Promise<void> {
  const superuser = inject("postgresUrl");
  const name = `refusing_${randomBytes(6).toString("hex")}`;
  const role = `node_${name}`;
  await runOn(superuser, `create role ${role} login password 'secret'`);
  await runOn(
    superuser,
    `create database ${name} owner ${role}${tablespace === undefined ? "" : ` tablespace ${tablespace}`}`,
  );
  const own = new URL(superuser);
  own.pathname = `/${name}`;
  const database: Refusing = { name, role, run: (text) => runOn(own.href, text) };
  const url = new URL(own);
  url.username = role;
  url.password = "secret";
  const server = await startServerProcess(["--listen", "127.0.0.1:0", "--database-url", url.href]);
  const millrace = createClient({ address: server.address });
  const append = () => millrace.append("refused", [{ text: "·".repeat(1000) }]);
  try {
    await append();
    await begin(database);
    await expect
      .poll(
        () =>
          append()
            .then(() => undefined)
            .catch((error: unknown) => error),
        { timeout: 20_000 },
      )
      .toMatchObject({ code: "UNAVAILABLE", message: why });
    const lines = () => server.log.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines().filter(({ sqlstate: state }) => state === sqlstate)).toContainEqual(
      expect.objectContaining({ cause: expect.stringMatching(cause) as string }),
    );
    await end(database);
    await expect
      .poll(
        () =>
          append().then(
            () => "appended",
            () => "refused",
          ),
        { timeout: 20_000 },
      )
      .toBe("appended");
    // After some time without a failure.
    await expect.poll(() => lines().map(({ msg }) => msg), { timeout: 20_000 }).toContain("The database is back");
  } finally {
    millrace.close();
    await server.stop("SIGKILL");
    await runOn(superuser, `drop database ${name} with (force)`);
    await runOn(superuser, `drop role ${role}`);
  }
}
