import { open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Node's thread pool runs four at once. */
const workers = 4;

/** Syncs all files and folders in a folder, and the folder itself, to the disk. */
export async function syncTree(folder: string): Promise<void> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).values();
  const work = async (): Promise<void> => {
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      await (entry.isDirectory() ? syncFolder(path) : sync(path, "r+"));
    }
  };
  // The workers share one iterator.
  await Promise.all(Array.from({ length: workers }, work));
  await syncFolder(folder);
}

/** Syncs a folder's list of entries to the disk. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows does not open folders.
  if (process.platform !== "win32") await sync(folder, "r");
}

async function sync(path: string, flags: "r" | "r+"): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
