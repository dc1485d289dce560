import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../../streams/index.js";
import { currentProcess, isAlive, type ProcessIdentity } from "./process-identity.js";

/** A folder that only this process may use. */
export interface FolderLock {
  release(): Promise<void>;
}

const prefix = "in-use-by-";
const tries = 5;

/**
 * Locks a folder for this process. Throws, with the pid, when another process has it.
 *
 * Each process creates a file of its own, named by pid and start time, with O_EXCL. Only then does it look for the
 * files of others. Of two that race, the later one sees the other's file, so two never both win. When both see each
 * other, both remove their file and retry after a random wait. A file of a dead process (kill -9, a reused pid) is
 * removed by any process that sees it: its owner cannot return, so there is no race. This works within one machine: it
 * does not see another container's processes on a shared volume.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const self = currentProcess();
  const file = join(folder, fileOf(self));
  for (let attempt = 1; ; attempt++) {
    await announce(file, folder);
    const other = await findOther(folder, self).catch(async (error: unknown) => {
      await rm(file, { force: true });
      throw error;
    });
    if (other === undefined) return { release: () => rm(file, { force: true }) };
    await rm(file, { force: true });
    if (attempt === tries) {
      throw new Error(`Cannot use ${folder}: process ${other.pid} has it. Stop that process, or choose another folder`);
    }
    await sleep(10 + Math.random() * 40);
  }
}

async function announce(file: string, folder: string): Promise<void> {
  try {
    await (await open(file, "wx")).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new Error(`Cannot use ${folder}: this process (${process.pid}) has it open already`, { cause: error });
  }
}

/** The live process, other than this one, whose file is in the folder. Removes the files of dead processes. */
async function findOther(folder: string, self: ProcessIdentity): Promise<ProcessIdentity | undefined> {
  for (const name of await readdir(folder)) {
    const identity = identityOf(name);
    if (identity === undefined || name === fileOf(self)) continue;
    if (isAlive(identity)) return identity;
    await rm(join(folder, name), { force: true });
  }
  return undefined;
}

function fileOf(identity: ProcessIdentity): string {
  return `${prefix}${identity.pid}-${identity.startTime}`;
}

function identityOf(name: string): ProcessIdentity | undefined {
  const match = /^(\d+)-(.+)$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : "");
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { pid: Number(match[1]), startTime: match[2] };
}
