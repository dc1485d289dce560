import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder, syncTree } from "./sync-files.js";

/** One level below the folder, since the folder also has the lock file, and initdb wants an empty folder. */
const name = "postgres";
/** Where a new data directory is made before it is renamed. */
const draftName = "postgres-draft";

/**
 * Returns the data directory in a folder that this process has locked. If there is none, `make` makes it in a draft
 * folder, which is renamed once it is complete and on the disk. A killed process leaves its draft, and the next start
 * removes it.
 * Throws when there is a folder of that name with files that are not a data directory.
 */
export async function ensureDataDirectory(folder: string, make: (draft: string) => Promise<void>): Promise<string> {
  const directory = join(folder, name);
  const draft = join(folder, draftName);
  await rm(draft, { recursive: true, force: true });
  const files = await filesIn(directory);
  if (files.includes("PG_VERSION")) return directory;
  if (files.length > 0) {
    throw new Error(
      `${directory} has files but no PG_VERSION, so it is no data directory: restore it, or move it away`,
    );
  }
  await make(draft);
  await syncTree(draft);
  await rm(directory, { recursive: true, force: true });
  await rename(draft, directory);
  await syncFolder(folder);
  return directory;
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === "ENOTDIR") throw new Error("there is a file where a folder should be", { cause: error });
    throw error;
  }
}
