/** Refuses what an expression must not do, before any record is read, and computes what it costs. */

import type { ASTNode } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";
import { checkRectangle, type Rectangle } from "../core/index.js";
import { functions, language, macros, operandsOf, type Variable, variables } from "./language.js";
import { filterBounds } from "./limits.js";
import { filterFault, startOf, textOf } from "./syntax.js";

export interface CheckedExpression {
  /** See `filterBounds.cost`. */
  readonly cost: number;
  readonly growth: CostGrowth;
  /** The variables that it names. */
  readonly variables: ReadonlySet<Variable>;
  /** The patterns of its `matches`, compiled. */
  readonly patterns: ReadonlyMap<string, CompiledPattern>;
}

/** How the steps of an evaluation grow with a record: with the number of values in its JSON, and its size in bytes. */
export interface CostGrowth {
  /** Steps for each value: the bodies of macros, and comparisons of lists. */
  readonly byValue: number;
  /** Searches of a list of the record, one for each value. */
  readonly byValueSquared: number;
  /** Walks over a text of the record, and such walks that are repeated for each value. */
  readonly bySize: number;
  readonly byValueAndSize: number;
}

/** A pattern, and the length of the longest text that it is searched in. A larger program allows only shorter texts. */
export interface CompiledPattern {
  readonly regex: RE2JS;
  readonly textLength: number;
}

/** The element variables of a node outside all macros. */
const outside: ReadonlySet<string> = new Set();

/** Throws `invalid-argument` on `filter`. The types are checked before. */
export function checkExpression(text: string, root: ASTNode): CheckedExpression {
  const named = new Set<Variable>();
  const patterns = new Map<string, CompiledPattern>();
  const growth = { byValue: 0, byValueSquared: 0, bySize: 0, byValueAndSize: 0 };
  let sums = 0;
  let repeats = 0;
  const cost = costOf(root, outside);
  if (cost > filterBounds.cost) {
    throw filterFault(
      text,
      startOf(root),
      `costs up to ${cost} steps a record, at most ${filterBounds.cost} are allowed: what exists, all, filter and map run for each element counts ${filterBounds.elements} times, so avoid nesting them`,
    );
  }
  // The sum of two lists has the elements of both.
  return { cost, growth: { ...growth, byValue: growth.byValue * (1 + sums) }, variables: named, patterns };

  /** `elements`: the variables of the macros around a node. */
  function costOf(node: ASTNode, elements: ReadonlySet<string>): number {
    if (node.op === "id" && isVariable(node.args)) named.add(node.args);
    if (node.op === "+") sums += 1;
    noteGrowth(node, elements);
    const call = callOf(node);
    if (call === undefined) return operandsOf(node).reduce((sum, operand) => sum + costOf(operand, elements), 1);
    if (!functions.has(call.name)) {
      throw filterFault(
        text,
        startOf(node),
        `there is no function ${call.name}; there are ${[...functions].join(", ")}`,
      );
    }
    if (call.name === "matches") compile(call.operands.at(-1));
    if (call.name === "timestamp" || call.name === "duration") checkConstant(node, call.operands);
    if (call.name === "within") checkWithin(call.operands.slice(1), node);
    if (!macros.has(call.name) || call.receiver === undefined) {
      return call.operands.reduce((sum, operand) => sum + costOf(operand, elements), 1);
    }
    const [range, element, ...body] = call.operands as [ASTNode, ASTNode, ...ASTNode[]];
    const inner = element.op === "id" ? new Set([...elements, element.args]) : elements;
    const each = body.reduce((sum, operand) => sum + costOf(operand, inner), 1);
    growth.byValue += each;
    return 1 + costOf(range, elements) + filterBounds.elements * each;
  }

  /**
   * Notes what a node costs beyond its own step. A walk over a single element counts nothing: all elements together are no
   * larger than the record.
   */
  function noteGrowth(node: ASTNode, elements: ReadonlySet<string>): void {
    const operands = operandsOf(node).filter((operand) => isOfRecord(operand, elements));
    const isInMacro = elements.size > 0;
    if (node.op === "in" && operands.includes(node.args[1])) {
      if (isInMacro) growth.byValueSquared += 1;
      else growth.byValue += 1;
    } else if (isComparison(node) && operands.length === 2) {
      growth.byValue += isInMacro ? 0 : 1;
      if (isInMacro) growth.byValueAndSize += 1;
    } else if (isWalk(node) && operands.length > 0) {
      if (isInMacro) growth.byValueAndSize += 1;
      else growth.bySize += 1;
    }
  }

  function compile(pattern: ASTNode | undefined): void {
    if (pattern?.op !== "value" || typeof pattern.args !== "string") {
      const at = pattern === undefined ? 0 : startOf(pattern);
      throw filterFault(text, at, "the pattern of matches must be a text constant, not a value of the record");
    }
    const fault = (description: string) => filterFault(text, startOf(pattern), description);
    const { length } = pattern.args;
    const { patternLength, patternRepeats, programSize } = filterBounds;
    if (length > patternLength) {
      throw fault(`a pattern may have ${patternLength} characters, this one has ${length}`);
    }
    // Checked before compiling: the compiler writes each repeat out.
    repeats += repeatsOf(pattern.args);
    if (repeats > patternRepeats) {
      throw fault(
        `the counts of {n,m} in a filter's patterns may add up to ${patternRepeats}, these add up to ${repeats}`,
      );
    }
    let regex: RE2JS;
    try {
      regex = RE2JS.compile(pattern.args);
    } catch (error) {
      throw fault(`is not a pattern of RE2: ${error instanceof Error ? error.message : String(error)}`);
    }
    const size = regex.programSize();
    if (size > programSize) throw fault(`compiles to ${size} steps, at most ${programSize} are allowed: simplify it`);
    const textLength = Math.min(filterBounds.matchedLength, Math.floor(filterBounds.matchedSteps / Math.max(1, size)));
    patterns.set(pattern.args, { regex, textLength });
  }

  /** `timestamp("yesterday")` would have no value for any record. */
  function checkConstant(node: ASTNode, [operand]: readonly ASTNode[]): void {
    if (operand?.op !== "value") return;
    try {
      language.parse(textOf(node))();
    } catch (error) {
      const why = error instanceof Error && "summary" in error ? String(error.summary) : String(error);
      throw filterFault(text, startOf(node), why);
    }
  }

  function checkWithin(edges: readonly ASTNode[], node: ASTNode): void {
    const rectangle = rectangleOf(edges);
    if (rectangle === undefined) {
      throw filterFault(text, startOf(node), "within takes four numbers: west, south, east, north, in degrees");
    }
    try {
      checkRectangle(rectangle, "within");
    } catch (error) {
      throw filterFault(text, startOf(node), error instanceof Error ? error.message : String(error));
    }
  }
}

/** The sum of the upper counts of `{n}`, `{n,}` and `{n,m}`. */
function repeatsOf(pattern: string): number {
  let sum = 0;
  for (const [, min = "0", max = ""] of pattern.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) sum += Number(max || min);
  return sum;
}

function isComparison(node: ASTNode): boolean {
  return ["==", "!=", "<", "<=", ">", ">="].includes(node.op);
}

/** Whether a node walks over a whole text or list. */
function isWalk(node: ASTNode): boolean {
  const call = callOf(node);
  return node.op === "+" || (call !== undefined && call.name !== "has" && !macros.has(call.name));
}

/** Whether a value comes from the record: neither a constant nor part of a single element. */
function isOfRecord(node: ASTNode, elements: ReadonlySet<string>): boolean {
  if (node.op === "value") return false;
  if (node.op === "id") return !elements.has(node.args);
  if (node.op === "." || node.op === "[]") return isOfRecord(node.args[0], elements);
  return operandsOf(node).some((operand) => isOfRecord(operand, elements));
}

/** A call by its name, in either form: `size(key)` or `key.size()`. */
export function callOf(
  node: ASTNode,
):
  | { readonly name: string; readonly receiver: ASTNode | undefined; readonly operands: readonly ASTNode[] }
  | undefined {
  if (node.op === "call") return { name: node.args[0], receiver: undefined, operands: node.args[1] };
  if (node.op !== "rcall") return undefined;
  const [name, receiver, args] = node.args;
  return { name, receiver, operands: [receiver, ...args] };
}

/** The rectangle of `within(west, south, east, north)`; undefined unless these are four number constants. */
export function rectangleOf(edges: readonly ASTNode[]): Rectangle | undefined {
  const [west, south, east, north, ...more] = edges.map(numberOf);
  if (west === undefined || south === undefined || east === undefined || north === undefined || more.length > 0) {
    return undefined;
  }
  return { west, south, east, north };
}

function numberOf(node: ASTNode): number | undefined {
  if (node.op === "-_") {
    const value = numberOf(node.args);
    return value === undefined ? undefined : -value;
  }
  if (node.op !== "value" || (typeof node.args !== "number" && typeof node.args !== "bigint")) return undefined;
  return Number(node.args);
}

function isVariable(name: string): name is Variable {
  return Object.hasOwn(variables, name);
}
