/**
 * The language of filters: CEL over the fields of a record. What the library offers beyond this is refused by name, since
 * each function is a promise, and some of them could make a small expression do much.
 */

import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { isInside } from "../core/index.js";

/** The variables, and their CEL types. `dyn`: null where a record has none of it. */
export const variables = {
  key: "string",
  attributes: "map<string, string>",
  offset: "int",
  time: "google.protobuf.Timestamp",
  event_time: "dyn",
  location: "dyn",
  json: "dyn",
  text: "dyn",
  size: "int",
} as const;

export type Variable = keyof typeof variables;

/** The functions, apart from operators. Those of CEL's own, and `within`. */
export const functions: ReadonlySet<string> = new Set([
  "size",
  "has",
  "contains",
  "startsWith",
  "endsWith",
  "matches",
  "lowerAscii",
  "upperAscii",
  "trim",
  "int",
  "double",
  "string",
  "bool",
  "dyn",
  "timestamp",
  "duration",
  "getFullYear",
  "getMonth",
  "getDate",
  "getDayOfMonth",
  "getDayOfWeek",
  "getDayOfYear",
  "getHours",
  "getMinutes",
  "getSeconds",
  "getMilliseconds",
  "within",
  "all",
  "exists",
  "exists_one",
  "filter",
  "map",
]);

/** Those that run an expression once for each element. */
export const macros: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "filter", "map"]);

/** Nesting and size of an expression that the parser takes; 4096 bytes hold no more than this of anything sensible. */
const parserLimits = { maxAstNodes: 1000, maxDepth: 40, maxListElements: 500, maxMapEntries: 100, maxCallArguments: 8 };

/** The name that `matches` gets in what is run: the library's own is JavaScript's, which can take for ever. */
export const patternFunction = "matchesPattern";

/** Where users' expressions are parsed and checked. */
export const language = new Environment({ limits: parserLimits });
for (const [name, type] of Object.entries(variables)) language.registerVariable(name, type);
language.registerFunction({
  name: "within",
  receiverType: "dyn",
  returnType: "bool",
  params: ["west", "south", "east", "north"].map((name) => ({ name, type: "dyn" })),
  handler: (place: unknown, ...edges: readonly (number | bigint)[]) => {
    const [west = 0, south = 0, east = 0, north = 0] = edges.map(Number);
    if (!isPlace(place)) throw new TypeError("There is no location");
    return isInside(place, { west, south, east, north });
  },
});

function isPlace(value: unknown): value is { readonly latitude: number; readonly longitude: number } {
  return typeof value === "object" && value !== null && "latitude" in value && "longitude" in value;
}

/** The language with the patterns of one expression: `matches` runs on those that were compiled for it. */
export function languageWithPatterns(matches: (text: string, pattern: string) => boolean): Environment {
  return language.clone().registerFunction(`string.${patternFunction}(string): bool`, matches);
}

/** The operands of a node that are expressions. */
export function operandsOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    case "list":
      return node.args;
    case "map":
      return node.args.flat();
    case "!_":
    case "-_":
      return [node.args];
    case "[]":
    case "[?]":
    case "?:":
    case "||":
    case "&&":
    case "!=":
    case "==":
    case "in":
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "<":
    case "<=":
    case ">":
    case ">=":
      return node.args;
    default:
      return node satisfies never;
  }
}
