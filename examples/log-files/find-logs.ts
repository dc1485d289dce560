import type { Dir } from "node:fs";
import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";

type OnFailure = (path: string, error: unknown) => void;

/**
 * The paths of all `.log` files in a folder and below it, as they are found, without a list of them. What cannot be
 * read is reported and skipped.
 */
export async function* findLogs(folder: string, onFailure: OnFailure): AsyncGenerator<string, void> {
  let entries: Dir;
  try {
    entries = await opendir(folder);
  } catch (error) {
    onFailure(folder, error);
    return;
  }
  for await (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* findLogs(path, onFailure);
    else if (entry.name.endsWith(".log") && (await isFile(path, onFailure))) yield path;
  }
}

/** Opening a named pipe without a writer would wait for ever. */
async function isFile(path: string, onFailure: OnFailure): Promise<boolean> {
  try {
    if ((await stat(path)).isFile()) return true;
    onFailure(path, new Error("not a regular file"));
  } catch (error) {
    onFailure(path, error);
  }
  return false;
}
