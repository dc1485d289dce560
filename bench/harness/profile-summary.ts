/** Summarises a CPU profile: shares of time by owner, and the functions with most time of their own. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const topFunctions = 15;
/** Owners with a smaller share are left out. */
const smallestShare = 0.01;

/** Native functions that pass bytes to a socket, or to HTTP/2 and so to a socket. They have no file. */
const socketWrites = new Set(["writeBuffer", "writev", "writeUtf8String", "writeLatin1String"]);

/** One summary for each profile in the folder, by name. */
export async function summarizeProfiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".cpuprofile")).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const profile = JSON.parse(await readFile(join(folder, name), "utf8")) as CpuProfile;
      return [`${name.replace(/\.cpuprofile$/, "")}:`, ...summarize(profile)].join("\n");
    }),
  );
}

function summarize(profile: CpuProfile): string[] {
  const byOwner = new Map<string, number>();
  const byFunction = new Map<string, number>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node.callFrame]));
  let busy = 0;
  let total = 0;
  profile.samples.forEach((id, index) => {
    const frame = nodes.get(id);
    const micros = profile.timeDeltas[index] ?? 0;
    total += micros;
    if (frame === undefined || frame.functionName === "(idle)") return;
    busy += micros;
    add(byOwner, ownerOf(frame), micros);
    add(byFunction, `${frame.functionName || "(anonymous)"}  ${placeOf(frame)}`, micros);
  });
  const percent = (micros: number) => `${((100 * micros) / busy).toFixed(1).padStart(5)} %`;
  return [
    `  busy ${(busy / 1e6).toFixed(1)} s of ${(total / 1e6).toFixed(1)} s`,
    ...largest(byOwner)
      .filter(([, micros]) => micros >= smallestShare * busy)
      .map(([owner, micros]) => `  ${percent(micros)}  ${owner}`),
    "  by function, without what it calls:",
    ...largest(byFunction)
      .slice(0, topFunctions)
      .map(([name, micros]) => `  ${percent(micros)}  ${name}`),
  ];
}

function add(sums: Map<string, number>, name: string, amount: number): void {
  sums.set(name, (sums.get(name) ?? 0) + amount);
}

function largest(sums: ReadonlyMap<string, number>): [string, number][] {
  return [...sums].toSorted(([, a], [, b]) => b - a);
}

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** A room of ours, a package, a part of Node, or the engine itself. */
function ownerOf({ functionName, url }: Frame): string {
  if (socketWrites.has(functionName)) return "socket and HTTP/2 writes";
  const dependency = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (dependency !== undefined) return dependency;
  const room = /\/(?:dist|src)\/([^/]+)\//.exec(url)?.[1];
  if (room !== undefined) return `ours: ${room}`;
  if (url.startsWith("file:")) return "the bench";
  const part = /^node:(?:internal\/)?([\w]+)/.exec(url)?.[1];
  if (part !== undefined) return `node:${part}`;
  if (functionName === "(garbage collector)") return "garbage collection";
  return "native code";
}

function placeOf({ url, lineNumber }: Frame): string {
  if (url === "") return "";
  const short = url.replace(/^.*\/node_modules\//, "").replace(/^.*\/(dist|\.build\/src)\//, "");
  return `${short}:${lineNumber + 1}`;
}
