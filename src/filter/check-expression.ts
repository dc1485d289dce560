/** What an expression may not do, found before any record is looked at, and what it costs. */

import type { ASTNode } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";
import { checkRectangle, type Rectangle } from "../core/index.js";
import { functions, language, macros, operandsOf, type Variable, variables } from "./language.js";
import { filterBounds } from "./limits.js";
import { filterFault, startOf, textOf } from "./syntax.js";

export interface CheckedExpression {
  /** See `filterBounds.cost`. */
  readonly cost: number;
  /** Steps for each value of a record's JSON: 0 when nothing runs over its elements, or compares them all. */
  readonly costPerElement: number;
  /** The variables that it names. */
  readonly variables: ReadonlySet<Variable>;
  /** The patterns of its `matches`, compiled. */
  readonly patterns: ReadonlyMap<string, RE2JS>;
}

/** Throws `invalid-argument` on `filter`. The types were checked before. */
export function checkExpression(text: string, root: ASTNode): CheckedExpression {
  const named = new Set<Variable>();
  const patterns = new Map<string, RE2JS>();
  let costPerElement = 0;
  let sums = 0;
  const cost = costOf(root);
  if (cost > filterBounds.cost) {
    throw filterFault(
      text,
      startOf(root),
      `costs up to ${cost} steps a record, and ${filterBounds.cost} are allowed: what runs over elements (exists, all, filter, map) counts ${filterBounds.elements} times, and must hardly be nested`,
    );
  }
  // A sum of lists has the elements of both.
  return { cost, costPerElement: costPerElement * (1 + sums), variables: named, patterns };

  function costOf(node: ASTNode): number {
    if (node.op === "id" && isVariable(node.args)) named.add(node.args);
    if (node.op === "+") sums += 1;
    // Two lists are compared element by element.
    if (isComparedWhole(node)) costPerElement += 1;
    const call = callOf(node);
    if (call === undefined) return operandsOf(node).reduce((sum, operand) => sum + costOf(operand), 1);
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
      return call.operands.reduce((sum, operand) => sum + costOf(operand), 1);
    }
    const [range, , ...body] = call.operands as [ASTNode, ASTNode, ...ASTNode[]];
    const each = body.reduce((sum, operand) => sum + costOf(operand), 1);
    costPerElement += each;
    return 1 + costOf(range) + filterBounds.elements * each;
  }

  function compile(pattern: ASTNode | undefined): void {
    if (pattern?.op !== "value" || typeof pattern.args !== "string") {
      const at = pattern === undefined ? 0 : startOf(pattern);
      throw filterFault(text, at, "the pattern of matches must be a text, not something that a record brings");
    }
    const { length } = pattern.args;
    if (length > filterBounds.patternLength) {
      const most = filterBounds.patternLength;
      throw filterFault(text, startOf(pattern), `a pattern has at most ${most} characters, this one has ${length}`);
    }
    try {
      patterns.set(pattern.args, RE2JS.compile(pattern.args));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw filterFault(text, startOf(pattern), `is no pattern of RE2: ${why}`);
    }
  }

  /** A text that is no time would have no value for any record. */
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

/** Whether a comparison may go through a value with all that is in it: not where one side is a number or a text. */
function isComparedWhole(node: ASTNode): boolean {
  return (node.op === "==" || node.op === "!=" || node.op === "in") && node.args.every(({ op }) => op !== "value");
}

/** A call by its name, whichever way it is written: `size(key)` or `key.size()`. */
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

/** The rectangle of `within(west, south, east, north)`; undefined unless those are numbers as they stand. */
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
