/**
 * The needs of a filter: conditions of its conjuncts in a form that an index or a walk over bytes can answer. A need is
 * equivalent to its conjunct, so a conjunct that has one is not evaluated.
 */

import type { ASTNode } from "@marcbachmann/cel-js";
import type { Rectangle } from "../core/index.js";
import { language } from "./language.js";
import { filterBounds } from "./limits.js";
import { callOf, rectangleOf, textOf } from "./syntax.js";

/** Necessary conditions: a record that fails one of them does not match. */
export interface FilterNeeds {
  /** The key is one of these. */
  readonly keys: readonly string[] | undefined;
  /** The key begins with this. */
  readonly keyPrefix: string | undefined;
  /** The record has these attributes, with this value where one is given. No name occurs twice. */
  readonly attributes: readonly { readonly name: string; readonly value: string | undefined }[];
  /** From `fromOffset` to below `untilOffset`. */
  readonly fromOffset: number | undefined;
  readonly untilOffset: number | undefined;
  /** When the server took the record: from `fromTimeMicros` to before `untilTimeMicros`, in microseconds since 1970. */
  readonly fromTimeMicros: number | undefined;
  readonly untilTimeMicros: number | undefined;
  /** The location is inside. */
  readonly rectangle: Rectangle | undefined;
  /** The needs contradict each other: nothing matches. */
  readonly never: boolean;
}

/** The kind of need that a conjunct is. */
export type NeedKind = "key" | "attribute" | "offset" | "time" | "rectangle";

/** One of the conditions that a filter joins with `&&`. */
export interface Conjunct {
  readonly text: string;
  /** Undefined: it is no need, so it is evaluated. */
  readonly need: NeedKind | undefined;
}

type Needs = { -readonly [Name in keyof FilterNeeds]: FilterNeeds[Name] };

export function needsOf(root: ASTNode): { readonly needs: FilterNeeds; readonly conjuncts: readonly Conjunct[] } {
  const needs: Needs = {
    keys: undefined,
    keyPrefix: undefined,
    attributes: [],
    fromOffset: undefined,
    untilOffset: undefined,
    fromTimeMicros: undefined,
    untilTimeMicros: undefined,
    rectangle: undefined,
    never: false,
  };
  const conjuncts = conjunctsOf(root).map((node) => ({ text: textOf(node), need: takeNeed(needs, node) }));
  const { keys, keyPrefix } = needs;
  if (keys !== undefined && keyPrefix !== undefined) needs.keys = keys.filter((key) => key.startsWith(keyPrefix));
  if (
    needs.keys?.length === 0 ||
    isEmpty(needs.fromOffset, needs.untilOffset) ||
    isEmpty(needs.fromTimeMicros, needs.untilTimeMicros)
  ) {
    needs.never = true;
  }
  return { needs, conjuncts };
}

/**
 * Byte strings that the frame of every matching record contains, since a frame holds texts as plain UTF-8. The rarest come
 * first, up to `filterBounds.needles`.
 */
export function needlesOf({ keys, keyPrefix, attributes }: FilterNeeds): readonly Buffer[] {
  const texts = [
    ...(keys?.length === 1 ? keys : []),
    ...(keyPrefix === undefined ? [] : [keyPrefix]),
    // An attribute's name is in most frames: its value is the better needle, where one is asked for.
    ...attributes.map(({ name, value = name }) => value),
  ].filter((text) => Buffer.byteLength(text) >= filterBounds.needleBytesMin);
  const distinct = texts.filter((text, index) => !texts.some((other, at) => at < index && other.includes(text)));
  // The beginning of a long text is enough, and cheaper to search for in frames that nearly contain it.
  return distinct
    .slice(0, filterBounds.needles)
    .map((text) => Buffer.from(text).subarray(0, filterBounds.needleBytesMax));
}

function conjunctsOf(node: ASTNode): readonly ASTNode[] {
  return node.op === "&&" ? node.args.flatMap(conjunctsOf) : [node];
}

function isEmpty(from: number | undefined, until: number | undefined): boolean {
  return from !== undefined && until !== undefined && from >= until;
}

/** Adds the need of a conjunct to `needs`. Undefined: it has none. */
function takeNeed(needs: Needs, node: ASTNode): NeedKind | undefined {
  const comparison = comparisonOf(node);
  if (comparison !== undefined) return takeComparison(needs, comparison);
  if (node.op === "in") {
    const [element, container] = node.args;
    const name = literalText(element);
    if (name !== undefined && isVariable(container, "attributes")) return takeAttribute(needs, name, undefined);
    const texts = container.op === "list" ? container.args.map(literalText) : [];
    if (!isVariable(element, "key") || container.op !== "list" || texts.some((text) => text === undefined)) {
      return undefined;
    }
    return takeKeys(needs, texts as string[]);
  }
  const call = callOf(node);
  if (call?.name === "has") {
    const [field] = call.operands;
    const name = field && attributeOf(field);
    return name === undefined ? undefined : takeAttribute(needs, name, undefined);
  }
  if (call?.receiver === undefined) return undefined;
  const [receiver, ...operands] = call.operands as [ASTNode, ...ASTNode[]];
  if (call.name === "startsWith" && isVariable(receiver, "key") && operands.length === 1) {
    const prefix = operands[0] && literalText(operands[0]);
    return prefix === undefined ? undefined : takePrefix(needs, prefix);
  }
  if (call.name === "within" && isVariable(receiver, "location") && needs.rectangle === undefined) {
    const rectangle = rectangleOf(operands);
    if (rectangle === undefined) return undefined;
    needs.rectangle = rectangle;
    return "rectangle";
  }
  return undefined;
}

type Comparator = "==" | "<" | "<=" | ">" | ">=";

interface Comparison {
  readonly left: ASTNode;
  readonly comparator: Comparator;
  readonly right: ASTNode;
}

const mirrored = { "==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<=" } as const satisfies Record<
  Comparator,
  Comparator
>;

/** A comparison, mirrored if necessary, so that the record's value stands on the left. */
function comparisonOf(node: ASTNode): Comparison | undefined {
  if (!isComparison(node)) return undefined;
  const [left, right] = node.args;
  const isMirrored = left.op === "value" || callOf(left)?.name === "timestamp";
  return isMirrored
    ? { left: right, comparator: mirrored[node.op], right: left }
    : { left, comparator: node.op, right };
}

function isComparison(node: ASTNode): node is ASTNode & { readonly op: Comparator } {
  return Object.hasOwn(mirrored, node.op);
}

function takeComparison(needs: Needs, { left, comparator, right }: Comparison): NeedKind | undefined {
  if (isVariable(left, "offset")) {
    const offset = right.op === "value" && typeof right.args === "bigint" ? Number(right.args) : undefined;
    if (offset === undefined || !Number.isSafeInteger(offset)) return undefined;
    const { from, until } = rangeOf(comparator, offset, 1);
    needs.fromOffset = greater(needs.fromOffset, from && Math.max(0, from));
    needs.untilOffset = lesser(needs.untilOffset, until && Math.max(0, until));
    return "offset";
  }
  if (isVariable(left, "time")) {
    const ms = literalTime(right);
    if (ms === undefined) return undefined;
    // A filter sees times in milliseconds, as a Date has them.
    const { from, until } = rangeOf(comparator, ms * 1000, 1000);
    needs.fromTimeMicros = greater(needs.fromTimeMicros, from && Math.max(0, from));
    needs.untilTimeMicros = lesser(needs.untilTimeMicros, until && Math.max(0, until));
    return "time";
  }
  const text = literalText(right);
  if (comparator !== "==" || text === undefined) return undefined;
  if (isVariable(left, "key")) return takeKeys(needs, [text]);
  const name = attributeOf(left);
  return name === undefined ? undefined : takeAttribute(needs, name, text);
}

/** The half-open range of values that satisfy a comparison with `value`, when they are cut to multiples of `step`. */
function rangeOf(comparator: Comparator, value: number, step: number) {
  switch (comparator) {
    case "==":
      return { from: value, until: value + step };
    case "<":
      return { from: undefined, until: value };
    case "<=":
      return { from: undefined, until: value + step };
    case ">":
      return { from: value + step, until: undefined };
    case ">=":
      return { from: value, until: undefined };
    default:
      return comparator satisfies never;
  }
}

/** No key contains U+0000, and Postgres accepts no text with it. */
const hasNul = (text: string) => text.includes("\0");

function takeKeys(needs: Needs, keys: readonly string[]): NeedKind {
  const { keys: known } = needs;
  const possible = keys.filter((key) => !hasNul(key));
  needs.keys = [...new Set(known === undefined ? possible : known.filter((key) => possible.includes(key)))];
  return "key";
}

function takePrefix(needs: Needs, prefix: string): NeedKind {
  const known = needs.keyPrefix ?? "";
  if (hasNul(prefix)) {
    needs.never = true;
    return "key";
  }
  if (prefix.startsWith(known)) needs.keyPrefix = prefix;
  else if (!known.startsWith(prefix)) needs.never = true;
  return "key";
}

function takeAttribute(needs: Needs, name: string, value: string | undefined): NeedKind {
  const known = needs.attributes.find((attribute) => attribute.name === name);
  if (known?.value !== undefined && value !== undefined && known.value !== value) needs.never = true;
  if (known === undefined) needs.attributes = [...needs.attributes, { name, value }];
  else if (known.value === undefined) {
    needs.attributes = needs.attributes.map((attribute) => (attribute === known ? { name, value } : attribute));
  }
  return "attribute";
}

/** `attributes.name` or `attributes["name"]`. */
function attributeOf(node: ASTNode): string | undefined {
  if (node.op === ".") return isVariable(node.args[0], "attributes") ? node.args[1] : undefined;
  if (node.op !== "[]" || !isVariable(node.args[0], "attributes")) return undefined;
  return literalText(node.args[1]);
}

function isVariable(node: ASTNode, name: string): boolean {
  return node.op === "id" && node.args === name;
}

function literalText(node: ASTNode): string | undefined {
  return node.op === "value" && typeof node.args === "string" ? node.args : undefined;
}

/** `timestamp("…")` in milliseconds since 1970, as CEL reads it. */
function literalTime(node: ASTNode): number | undefined {
  const call = callOf(node);
  const [operand] = call?.operands ?? [];
  if (call?.name !== "timestamp" || operand === undefined || literalText(operand) === undefined) return undefined;
  try {
    const value: unknown = language.parse(textOf(node))();
    const ms = value instanceof Date ? value.getTime() : Number.NaN;
    return Number.isNaN(ms) ? undefined : ms;
  } catch {
    // It has no value: the evaluation will match no record.
    return undefined;
  }
}

function greater(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

function lesser(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
