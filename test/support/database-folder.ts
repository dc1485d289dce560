import { statfsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What the databases of `make test` need, several times over. In containers there is often no more than 64 MiB. */
const memoryBytesMin = 4 * 1024 ** 3;

/**
 * Linux's file system in memory when it has room, otherwise the folder for temporary files. Tests kill processes, never the
 * machine, so memory keeps what was written; a copy of PGlite's thousand files takes a tenth of the time there. The soaks
 * write for hours, which only a disk can hold.
 */
const databaseParent = process.env["SOAK"] === undefined && hasRoom("/dev/shm") ? "/dev/shm" : tmpdir();

/** A new folder for a database. Who makes it removes it. */
export function makeDatabaseFolder(prefix: string, parent = databaseParent): Promise<string> {
  return mkdtemp(join(parent, prefix));
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= memoryBytesMin;
  } catch {
    return false;
  }
}
