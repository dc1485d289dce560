/** Refuses what an expression must not do, before any record is read, and computes what it costs. */

import type { ASTNode } from "@marcbachmann/cel-js";
import { checkRectangle } from "../core/index.js";
import { type CompiledPattern, FilterPatterns } from "./compile-patterns.js";
import { type CostGrowth, GrowthCount } from "./cost-growth.js";
import { functions, language, macros, operandsOf, type Variable, variables } from "./language.js";
import { filterBounds } from "./limits.js";
import { callOf, filterFault, rectangleOf, startOf, textOf } from "./syntax.js";

export interface CheckedExpression {
  /** See `filterBounds.cost`. */
  readonly cost: number;
  readonly growth: CostGrowth;
  /** The variables that it names. */
  readonly variables: ReadonlySet<Variable>;
  /** The patterns of its `matches`, compiled. */
  readonly patterns: ReadonlyMap<string, CompiledPattern>;
}

/** The element variables of a node outside all macros. */
const outside: ReadonlySet<string> = new Set();

/** Throws `invalid-argument` on `filter`. The types are checked before. */
export function checkExpression(text: string, root: ASTNode): CheckedExpression {
  const named = new Set<Variable>();
  const patterns = new FilterPatterns(text);
  const growth = new GrowthCount();
  const cost = costOf(root, outside);
  if (cost > filterBounds.cost) {
    throw filterFault(
      text,
      startOf(root),
      `costs up to ${cost} steps a record, at most ${filterBounds.cost} are allowed: what exists, all, filter and map run for each element counts ${filterBounds.elements} times, so avoid nesting them`,
    );
  }
  return { cost, growth: growth.growth, variables: named, patterns: patterns.compiled };

  /** `elements`: the variables of the macros around a node. */
  function costOf(node: ASTNode, elements: ReadonlySet<string>): number {
    if (node.op === "id" && isVariable(node.args)) named.add(node.args);
    growth.add(node, elements);
    const call = callOf(node);
    if (call === undefined) return operandsOf(node).reduce((sum, operand) => sum + costOf(operand, elements), 1);
    if (!functions.has(call.name)) {
      throw filterFault(
        text,
        startOf(node),
        `there is no function ${call.name}; there are ${[...functions].join(", ")}`,
      );
    }
    if (call.name === "matches") patterns.add(call.operands.at(-1));
    if (call.name === "timestamp" || call.name === "duration") checkConstant(node, call.operands);
    if (call.name === "within") checkWithin(call.operands.slice(1), node);
    if (!macros.has(call.name) || call.receiver === undefined) {
      return call.operands.reduce((sum, operand) => sum + costOf(operand, elements), 1);
    }
    const [range, element, ...body] = call.operands as [ASTNode, ASTNode, ...ASTNode[]];
    const inner = element.op === "id" ? new Set([...elements, element.args]) : elements;
    const each = body.reduce((sum, operand) => sum + costOf(operand, inner), 1);
    growth.addBody(each);
    return 1 + costOf(range, elements) + filterBounds.elements * each;
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

function isVariable(name: string): name is Variable {
  return Object.hasOwn(variables, name);
}
