import { readFile } from "node:fs/promises";

/** Seconds of CPU that a process has used so far; undefined where there is no /proc. */
export async function cpuSecondsOf(pid: number): Promise<number | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // After the name, which may contain spaces: the state is field 3, so utime and stime are the 12th and 13th here.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // A tick is a hundredth of a second on every Linux that Node runs on.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}
