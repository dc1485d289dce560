import type { ASTNode } from "@marcbachmann/cel-js";
import { invalidArgument, type MillraceError } from "../core/index.js";

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
