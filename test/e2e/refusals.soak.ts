import { execFileSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, inject, test } from "vitest";
import { runOn } from "../support/database.js";
import { killServerProcesses } from "../support/server-process.js";
import { refuseWork } from "./refusals.js";

afterEach(killServerProcesses);

/** Mounts a small file system, which needs root. */
test("a full disk is logged with its cause, and callers receive a fitting answer", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=40m", "tmpfs", folder]);
  const superuser = inject("postgresUrl");
  const { rows } = await runOn(superuser, "show data_directory");
  const { uid, gid } = statSync(rows[0].data_directory);
  chownSync(folder, uid, gid);
  try {
    await runOn(superuser, `create tablespace small location '${folder}'`);
    await refuseWork({
      sqlstate: "53100",
      why: "The database has no room left on its disk",
      cause: /No space left on device/,
      tablespace: "small",
      begin: async ({ run }) => {
        await run("create table public.ballast (content text)");
        await run("alter table public.ballast alter content set storage plain");
        for (const rows of [10_000, 100, 1])
          for (let isFull = false; !isFull; )
            await run(`insert into public.ballast select repeat('x', 7000) from generate_series(1, ${rows})`).catch(
              () => (isFull = true),
            );
      },
      end: ({ run }) => run("drop table public.ballast"),
    });
    await runOn(superuser, "drop tablespace small");
  } finally {
    execFileSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true });
  }
}, 120_000);
