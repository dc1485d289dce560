import { parseSync, Visitor } from "oxc-parser";
import type { SourceFile } from "./imports.js";

/** The rooms that take their time from the clock that they are given. */
const clockedRooms = ["src/engine/", "src/client/", "src/rpc/"];

/** Names of the process's own clock and timers. `setImmediate` is a turn of the event loop, and no clock. */
const timers = new Set(["setTimeout", "setInterval"]);
const members: Readonly<Record<string, readonly string[]>> = {
  AbortSignal: ["timeout"],
  Date: ["now"],
  performance: ["now", "timeOrigin"],
  process: ["hrtime", "uptime"],
};
const modules = new Set(["timers", "timers/promises", "perf_hooks"]);

/** Where those rooms look at the process's clock, or start its timers, as a sentence each. */
export function findProcessClocks(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => clockedRooms.some((room) => path.startsWith(room)))
    .flatMap((file) => [...usesIn(file)].map((use) => `${file.path} uses ${use}: it takes the clock that it is given`));
}

function usesIn(file: SourceFile): ReadonlySet<string> {
  const { program, errors } = parseSync(file.path, file.text);
  if (errors[0] !== undefined) throw new Error(`Cannot parse ${file.path}: ${errors[0].message}`);
  const uses = new Set<string>();
  new Visitor({
    Identifier: ({ name }) => {
      if (timers.has(name)) uses.add(name);
    },
    MemberExpression: ({ object, property }) => {
      if (object.type !== "Identifier" || property.type !== "Identifier") return;
      if (members[object.name]?.includes(property.name)) uses.add(`${object.name}.${property.name}`);
    },
    NewExpression: ({ callee, arguments: given }) => {
      if (callee.type === "Identifier" && callee.name === "Date" && given.length === 0) uses.add("new Date()");
    },
    ImportDeclaration: ({ source }) => {
      if (modules.has(source.value.replace(/^node:/, ""))) uses.add(source.value);
    },
  }).visit(program);
  return uses;
}
