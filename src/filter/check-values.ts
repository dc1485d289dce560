/**
 * Refuses expressions that type-check, because a variable may be null and JSON may hold anything, but have no value for any
 * record.
 */

import type { ASTNode } from "@marcbachmann/cel-js";
import { languageOfValues, macros, operandsOf } from "./language.js";
import { callOf, filterFault, startOf, textOf } from "./syntax.js";

const nullable: ReadonlySet<string> = new Set(["event_time", "location", "json", "text"]);

const withoutFields: ReadonlyMap<string, string> = new Map([
  ["key", "a text"],
  ["text", "a text"],
  ["offset", "a number"],
  ["size", "a number"],
  ["time", "a time, with functions such as getHours()"],
  ["event_time", "a time, with functions such as getHours()"],
]);

/** Types that no value in JSON has, and the function that converts a text to them. */
const notOfJson: ReadonlyMap<string, string> = new Map([
  ["google.protobuf.Timestamp", "timestamp"],
  ["google.protobuf.Duration", "duration"],
]);

/** Throws `invalid-argument` on `filter`. The types are checked before, with variables that may be null. */
export function checkValues(text: string, root: ASTNode): void {
  const nodes = nodesOf(root);
  const elements = elementsOfJson(nodes);
  for (const node of nodes) {
    checkField(text, node);
    checkPlace(text, node);
    checkJson(text, node, elements);
    checkTimeZone(text, node);
  }
  const { valid, error } = languageOfValues.parse(withoutNulls(text, root)).check();
  // A list, and the two branches of a choice, may mix values of JSON with others.
  if (!valid && !/same type/.test(error?.message ?? "")) {
    throw filterFault(text, error?.range?.start ?? 0, withHint(error?.summary ?? error?.message ?? "has wrong types"));
  }
}

/** `attributes.within(…)`: attributes are texts. */
function checkPlace(text: string, node: ASTNode): void {
  const call = callOf(node);
  if (call?.name !== "within" || call.receiver?.op !== "id" || call.receiver.args !== "attributes") return;
  throw filterFault(text, startOf(node), "attributes are texts, not a location: write location.within(…)");
}

function nodesOf(node: ASTNode): readonly ASTNode[] {
  return [node, ...operandsOf(node).flatMap(nodesOf)];
}

/** `location.lat`, `time.seconds`: fields that no record has. */
function checkField(text: string, node: ASTNode): void {
  if (node.op !== "." && node.op !== "[]") return;
  const [owner, field] = node.args;
  if (owner.op !== "id") return;
  const what = withoutFields.get(owner.args);
  if (what !== undefined) throw filterFault(text, startOf(node), `${owner.args} is ${what}, and has no fields`);
  const name = typeof field === "string" ? field : field.op === "value" ? field.args : undefined;
  if (owner.args === "location" && name !== undefined && name !== "latitude" && name !== "longitude") {
    throw filterFault(text, startOf(node), "a location has only location.latitude and location.longitude");
  }
}

/** `json.at > time` compares a text with a time: JSON has no times. */
function checkJson(text: string, node: ASTNode, elements: ReadonlySet<string>): void {
  const call = callOf(node);
  if (call?.receiver !== undefined && isOfJson(call.receiver, elements) && call.name.startsWith("get")) {
    throw jsonFault(text, call.receiver, "timestamp");
  }
  if (!binaryOperators.has(node.op)) return;
  const [left, right] = operandsOf(node) as [ASTNode, ASTNode];
  for (const [json, other] of [
    [left, right],
    [right, left],
  ] as const) {
    const conversion = isOfJson(json, elements) ? notOfJson.get(typeOf(other) ?? "") : undefined;
    if (conversion !== undefined) throw jsonFault(text, json, conversion);
  }
}

const binaryOperators: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">=", "+", "-"]);

function jsonFault(text: string, json: ASTNode, conversion: string): Error {
  const written = textOf(json);
  return filterFault(
    text,
    startOf(json),
    `${written} is never a ${conversion}, since JSON has none: write ${conversion}(${written})`,
  );
}

/** `json.a`, `json["a"][0]`, and the variable of a macro over one of them. */
function isOfJson(node: ASTNode, elements: ReadonlySet<string>): boolean {
  if (node.op === "id") return elements.has(node.args);
  if (node.op !== "." && node.op !== "[]") return false;
  const [owner] = node.args;
  return (owner.op === "id" && owner.args === "json") || isOfJson(owner, elements);
}

/** The variables of macros over values of JSON. In `nodes`, an outer macro comes before those inside it. */
function elementsOfJson(nodes: readonly ASTNode[]): ReadonlySet<string> {
  const elements = new Set<string>();
  for (const node of nodes) {
    const call = callOf(node);
    if (call === undefined || !macros.has(call.name)) continue;
    const [range, element] = call.operands;
    if (range !== undefined && element?.op === "id" && isOfJson(range, elements)) elements.add(element.args);
  }
  return elements;
}

/** Undefined inside macros, whose variables are not known here. */
function typeOf(node: ASTNode): string | undefined {
  const { valid, type } = languageOfValues.parse(textOf(node)).check();
  return valid ? type : undefined;
}

/** `time.getHours("Europe/Zurich")`. */
function checkTimeZone(text: string, node: ASTNode): void {
  const call = callOf(node);
  const zone = call?.receiver !== undefined && call.name.startsWith("get") ? call.operands[1] : undefined;
  if (zone?.op !== "value" || typeof zone.args !== "string") return;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone.args });
  } catch {
    throw filterFault(text, startOf(zone), `${textOf(zone)} is no time zone; write one such as "Europe/Zurich"`);
  }
}

/** The text with each comparison with null replaced by `true`, padded so that no position changes. */
function withoutNulls(text: string, root: ASTNode): string {
  let result = text;
  for (const node of nodesOf(root)) {
    if (node.op !== "==" && node.op !== "!=") continue;
    const [left, right] = node.args;
    if (!(isNullable(left) && isNull(right)) && !(isNullable(right) && isNull(left))) continue;
    const { start, end } = node.range;
    result = `${result.slice(0, start)}${"true".padEnd(end - start)}${result.slice(end)}`;
  }
  return result;
}

function isNullable(node: ASTNode): boolean {
  return node.op === "id" && nullable.has(node.args);
}

function isNull(node: ASTNode): boolean {
  return node.op === "value" && node.args === null;
}

const hints: readonly (readonly [problem: RegExp, hint: string])[] = [
  [
    /Timestamp (?:[<>=!]=?) string|string (?:[<>=!]=?) google\.protobuf\.Timestamp/,
    'write timestamp("2026-01-01T00:00:00Z")',
  ],
  [/Duration (?:[<>=!]=?) string|string (?:[<>=!]=?) google\.protobuf\.Duration/, 'write duration("90m")'],
  [
    /Timestamp (?:[<>=!]=?) (?:int|double)|(?:int|double) (?:[<>=!]=?) google\.protobuf\.Timestamp/,
    "write int(…) around the time, for seconds since 1970",
  ],
  [/Timestamp [-+] (?:int|double|string)/, 'write duration("90m")'],
  [
    /overload: string (?:[<>=!]=?) (?:int|double)|overload: (?:int|double) (?:[<>=!]=?) string/,
    "write int(…) or double(…) around the text",
  ],
];

/** The library's message, and what to write instead where that is known. */
export function withHint(problem: string): string {
  const hint = hints.find(([pattern]) => pattern.test(problem))?.[1];
  return hint === undefined ? problem : `${problem}: ${hint}`;
}
