/**
 * The language of filters: CEL over the fields of a record. Further functions of the library are refused by name: each one
 * would be a promise, and some let a small expression do much work.
 */

import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { isInside } from "../core/index.js";
import { timestampOfMicros, timestampText } from "../wire/index.js";

/** The variables, and their CEL types. `dyn`: null when the record has no such field. */
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

const timestamp = "google.protobuf.Timestamp";
const duration = "google.protobuf.Duration";

/** The same when none of them is null. */
const variablesWithValues = {
  ...variables,
  event_time: timestamp,
  location: "map<string, dyn>",
  json: "map<string, dyn>",
  text: "string",
} as const satisfies Record<Variable, string>;

/** The functions, apart from operators: CEL's own, and `within`. */
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

/** The functions that run an expression once for each element. */
export const macros: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "filter", "map"]);

/** Nesting and size of an expression. No sensible expression of 4096 bytes exceeds these. */
const parserLimits = { maxAstNodes: 1000, maxDepth: 40, maxListElements: 500, maxMapEntries: 100, maxCallArguments: 8 };

/** Replaces `matches` in evaluation: the library's own uses JavaScript's RegExp, which can take exponential time. */
export const patternFunction = "matchesPattern";

/** The years 1 to 9999, as in protobuf. */
const timeMsMin = -62_135_596_800_000;
const timeMsMax = 253_402_300_799_999;

const arithmetic: Readonly<Record<string, (one: number, other: number) => number>> = {
  "+": (one, other) => one + other,
  "-": (one, other) => one - other,
  "*": (one, other) => one * other,
  "/": (one, other) => one / other,
  "%": (one, other) => one % other,
};

/** Parses and checks users' expressions. */
export const language = createLanguage(variables, "dyn");

/** Checks them again without null: an expression with wrong types for every other value never matches. */
export const languageOfValues = createLanguage(variablesWithValues, "map<string, dyn>");

function createLanguage(types: Readonly<Record<Variable, string>>, placeType: string): Environment {
  const environment = new Environment({ limits: parserLimits });
  for (const [name, type] of Object.entries(types)) environment.registerVariable(name, type);
  environment.registerFunction({
    name: "within",
    receiverType: placeType,
    returnType: "bool",
    params: ["west", "south", "east", "north"].map((name) => ({ name, type: "dyn" })),
    handler: (place: unknown, ...edges: readonly (number | bigint)[]) => {
      const [west = 0, south = 0, east = 0, north = 0] = edges.map(Number);
      if (!isPlace(place)) throw new TypeError("There is no location");
      return isInside(place, { west, south, east, north });
    },
  });
  // Conversions of CEL that the library lacks, and `timestamp(double)` for the numbers of JSON.
  environment.registerFunction(`string(${timestamp}): string`, (time: Date) => {
    return timestampText(timestampOfMicros(time.getTime() * 1000));
  });
  environment.registerFunction(`string(${duration}): string`, (span: { valueOf(): number }) => {
    return `${(span.valueOf() / 1000).toFixed(9).replace(/\.?0+$/, "")}s`;
  });
  environment.registerFunction(`int(${timestamp}): int`, (time: Date) => BigInt(Math.floor(time.getTime() / 1000)));
  environment.registerFunction(`timestamp(${timestamp}): ${timestamp}`, (time: Date) => time);
  environment.registerFunction(`duration(${duration}): ${duration}`, (span: object) => span);
  environment.registerFunction(`timestamp(double): ${timestamp}`, (seconds: number) => {
    const ms = Math.floor(seconds * 1000);
    if (ms >= timeMsMin && ms <= timeMsMax) return new Date(ms);
    throw new RangeError("There is no such time");
  });
  // Numbers of JSON are doubles, and most constants are ints: CEL has no arithmetic that mixes them.
  for (const [left, right] of [
    ["double", "int"],
    ["int", "double"],
    ["double", "double"],
  ] as const) {
    for (const [operator, compute] of Object.entries(arithmetic)) {
      if (left === right && operator !== "%") continue;
      environment.registerOperator(
        `${left} ${operator} ${right}: double`,
        (one: number | bigint, other: number | bigint) => compute(Number(one), Number(other)),
      );
    }
  }
  return environment;
}

function isPlace(value: unknown): value is { readonly latitude: number; readonly longitude: number } {
  return typeof value === "object" && value !== null && "latitude" in value && "longitude" in value;
}

/** The language of one expression, whose patterns are compiled: `patternFunction` calls `matches`. */
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
