import type { ASTNode } from "@marcbachmann/cel-js";
import { invalidArgument, type MillraceError, type Rectangle } from "../core/index.js";

/** The refusal of a filter, with line and column. Both count from 1; a column is a character. */
export function filterFault(text: string, at: number, description: string): MillraceError {
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = Array.from(before.slice(before.lastIndexOf("\n") + 1)).length + 1;
  return invalidArgument("filter", `line ${line}, column ${column}: ${description}`);
}

/** Where a node stands in its text. */
export function startOf(node: ASTNode): number {
  return node.range.start;
}

/** The text of a node as it was written. */
export function textOf(node: ASTNode): string {
  return node.input.slice(node.range.start, node.range.end);
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
