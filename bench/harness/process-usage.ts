import { readdir, readFile } from "node:fs/promises";

/** Seconds of CPU that a process has used so far. Undefined where there is no /proc. */
export function cpuSecondsOf(pid: number): Promise<number | undefined> {
  return cpuSecondsIn(`/proc/${pid}/stat`);
}

/** CPU of a Node process: of its main thread, and of the helpers, which compile and collect garbage. */
export interface ThreadSeconds {
  readonly main: number;
  readonly helpers: number;
}

export async function threadSecondsOf(pid: number): Promise<ThreadSeconds> {
  let main = 0;
  let helpers = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const seconds = (await cpuSecondsIn(`/proc/${pid}/task/${thread}/stat`)) ?? 0;
    if (Number(thread) === pid) main = seconds;
    else helpers += seconds;
  }
  return { main, helpers };
}

/** CPU of every Postgres process whose title names this database, and of the server's own processes. */
export async function postgresSeconds(database: string): Promise<number> {
  const ownTitles = /^postgres: (?:.* )?(?:walwriter|checkpointer|background writer|io worker \d+|autovacuum .*)\s*$/;
  let total = 0;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const title = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    const text = title.replaceAll("\0", " ").trim();
    if (!text.startsWith("postgres: ") || !(text.includes(` ${database} `) || ownTitles.test(text))) continue;
    total += (await cpuSecondsOf(Number(name))) ?? 0;
  }
  return total;
}

async function cpuSecondsIn(file: string): Promise<number | undefined> {
  try {
    const text = await readFile(file, "utf8");
    // After the name, which may contain spaces: the state is field 3, so utime and stime are the 12th and 13th here.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // A tick is a hundredth of a second on every Linux that Node runs on.
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}
