import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { sleep } from "../../../streams/index.js";
import { currentProcess, isAlive, type ProcessIdentity } from "./process-identity.js";

/** A folder that only this process uses. */
export interface FolderLock {
  release(): Promise<void>;
}

const prefix = "in-use-by-";
const tries = 5;

/**
 * Takes a folder for this process, or throws naming the pid that has it.
 *
 * Each process announces itself with a file of its own, named by pid and start time and made with O_EXCL, and only then
 * looks for others. Of two that race, the later one to announce sees the other's file, so two never both win; when both
 * see each other both withdraw, and try again after a random wait. A file whose process is dead (kill -9, a pid that
 * came round again) is removed by whoever sees it: that process never comes back, so there is nothing to race for.
 * Within one machine: another container's processes are not seen through a shared volume.
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

/** The live process, other than this one, whose file is in the folder; removes the files of dead ones. */
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
