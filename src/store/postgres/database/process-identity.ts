import { readFileSync } from "node:fs";

/** Identifies a process for ever: pids are reused, but not together with a start time of one boot. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, with the boot's id. `unknown` where the system does not provide it. */
  readonly startTime: string;
}

export function currentProcess(): ProcessIdentity {
  return { pid: process.pid, startTime: readStat(process.pid)?.startTime ?? "unknown" };
}

/** False only when it is certain: no such process, a zombie, or another process that has its pid. */
export function isAlive(identity: ProcessIdentity): boolean {
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    // EPERM: it exists, and belongs to another user.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const stat = readStat(identity.pid);
  if (stat === undefined || identity.startTime === "unknown") return true;
  return stat.startTime === identity.startTime && !stat.isDead;
}

/** `/proc/<pid>/stat`: pid, the program's name in parentheses (it may hold any character), state, …, start time. */
function readStat(pid: number): { readonly startTime: string; readonly isDead: boolean } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = fields[19];
    if (ticks === undefined) return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    return { startTime: `${boot}.${ticks}`, isDead: fields[0] === "Z" || fields[0] === "X" };
  } catch {
    return undefined;
  }
}
