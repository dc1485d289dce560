/** The text of a filter as a tree: the grammar of CEL is the library's, and what is made of the tree is ours. */

import { type ASTNode, Environment, ParseError } from "@marcbachmann/cel-js";
import { filterLimits } from "./filter-limits.js";
import { FilterFault } from "./filter-fault.js";

/** One node of the tree. */
export type Expression = ASTNode;

const environment = new Environment({
  limits: {
    maxAstNodes: filterLimits.textBytes,
    maxDepth: filterLimits.depth,
    maxListElements: filterLimits.listElements,
    maxMapEntries: filterLimits.listElements,
    maxCallArguments: 32,
  },
});

/** The library's names of tokens, as they are written. */
const tokens: Readonly<Record<string, string>> = {
  EOF: "the end of the expression",
  IDENTIFIER: "a name",
  NUMBER: "a number",
  STRING: "a string",
  BYTES: "bytes",
  BOOLEAN: "true or false",
  NULL: "null",
  PLUS: "+",
  MINUS: "-",
  MULTIPLY: "*",
  DIVIDE: "/",
  MODULO: "%",
  EQ: "==",
  NE: "!=",
  LT: "<",
  LE: "<=",
  GT: ">",
  GE: ">=",
  AND: "&&",
  OR: "||",
  NOT: "!",
  IN: "in",
  LPAREN: "(",
  RPAREN: ")",
  LBRACKET: "[",
  RBRACKET: "]",
  LBRACE: "{",
  RBRACE: "}",
  DOT: ".",
  COMMA: ",",
  COLON: ":",
  QUESTION: "?",
};

/** Throws a FilterFault. */
export function parseExpression(text: string): Expression {
  try {
    return environment.parse(text).ast;
  } catch (error) {
    if (error instanceof ParseError) throw new FilterFault(error.range?.start ?? 0, describe(error, text));
    // A run of thousands of ! or - is deeper than the stack: its parser has no bound for those.
    if (error instanceof RangeError) throw tooDeep(0);
    throw error;
  }
}

export function tooDeep(at: number): FilterFault {
  return new FilterFault(at, `is nested deeper than ${filterLimits.depth} levels: write it flatter`);
}

function describe({ code, summary, range }: ParseError, text: string): string {
  const at = range?.start ?? 0;
  if (code === "limit_exceeded" && summary.includes("maxDepth")) return tooDeep(at).message;
  if (code === "limit_exceeded") return `${summary}: write it shorter`;
  if (text[at] === "=" && text[at + 1] !== "=") return "= is no operator: write == to compare";
  if (text[at] === "&" || text[at] === "|") return `${text[at]} is no operator: write ${text[at]}${text[at]}`;
  const plain = summary.replace(/\b[A-Z]{2,}\b/g, (name) => tokens[name] ?? name);
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}
