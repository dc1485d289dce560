import type { ASTNode } from "@marcbachmann/cel-js";
import { macros, operandsOf } from "./language.js";
import { callOf } from "./syntax.js";

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

/** Counts the growth of one expression, node by node. */
export class GrowthCount {
  #byValue = 0;
  #byValueSquared = 0;
  #bySize = 0;
  #byValueAndSize = 0;
  #sums = 0;

  get growth(): CostGrowth {
    return {
      // The sum of two lists has the elements of both.
      byValue: this.#byValue * (1 + this.#sums),
      byValueSquared: this.#byValueSquared,
      bySize: this.#bySize,
      byValueAndSize: this.#byValueAndSize,
    };
  }

  /** Adds the body of a macro, which runs for each element. */
  addBody(steps: number): void {
    this.#byValue += steps;
  }

  /**
   * Adds what a node costs beyond its own step. `elements`: the variables of the macros around it. A walk over a single
   * element counts nothing: all elements together are no larger than the record.
   */
  add(node: ASTNode, elements: ReadonlySet<string>): void {
    if (node.op === "+") this.#sums += 1;
    const operands = operandsOf(node).filter((operand) => isOfRecord(operand, elements));
    const isInMacro = elements.size > 0;
    if (node.op === "in" && operands.includes(node.args[1])) {
      if (isInMacro) this.#byValueSquared += 1;
      else this.#byValue += 1;
    } else if (isComparison(node) && operands.length === 2) {
      this.#byValue += isInMacro ? 0 : 1;
      if (isInMacro) this.#byValueAndSize += 1;
    } else if (isWalk(node) && operands.length > 0) {
      if (isInMacro) this.#byValueAndSize += 1;
      else this.#bySize += 1;
    }
  }
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
