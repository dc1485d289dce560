/** Measures files and functions, for the house's bounds on their size. */

import { type Comment, type Node, parseSync } from "oxc-parser";
import type { SourceFile } from "./imports.js";

export const fileLinesMax = 400;
export const functionLinesMax = 100;
/** Beyond these a function takes an object with names. */
export const parametersMax = 3;

/**
 * Allows more parameters to the function below the comment, and says why. As in: `Positional parameters: called once a
 * record.`
 */
const exception = /(?:^|[\s*])Positional parameters: \w[^]*\.\s*$/;
const exceptionMark = "Positional parameters";

/**
 * Everything that has parameters: functions, and the signatures of interfaces and types. Not the overloads of a function
 * (TSDeclareFunction): they are the forms of a call, and the function itself is measured.
 */
const callables: ReadonlySet<string> = new Set([
  "FunctionDeclaration",
  "FunctionExpression",
  "ArrowFunctionExpression",
  "TSEmptyBodyFunctionExpression",
  "TSMethodSignature",
  "TSFunctionType",
  "TSCallSignatureDeclaration",
  "TSConstructSignatureDeclaration",
]);

/** What a function's comment stands above, when the function is its value. */
const declarations: ReadonlySet<string> = new Set([
  "ExportNamedDeclaration",
  "VariableDeclaration",
  "VariableDeclarator",
  "MethodDefinition",
  "TSAbstractMethodDefinition",
  "PropertyDefinition",
  "Property",
  "TSPropertySignature",
  "TSTypeAnnotation",
]);

/** The parameters that come last in every function, and need no name to be understood. */
const lastNames: ReadonlySet<string> = new Set(["signal", "stream"]);

type AnyNode = Node & { readonly [field: string]: unknown };

/** What is too large in a file, as sentences with its place. */
export function findSizeFaults(file: SourceFile): string[] {
  const { program, comments, errors } = parseSync(file.path, file.text);
  if (errors[0] !== undefined) throw new Error(`Cannot parse ${file.path}: ${errors[0].message}`);
  const faults: string[] = [];
  const lineAt = (at: number): number => file.text.slice(0, at).split("\n").length;
  const lines = file.text.trimEnd().split("\n").length;
  if (lines > fileLinesMax) faults.push(`${file.path} has ${lines} lines, at most ${fileLinesMax} are allowed`);

  const exceptions = new Set(comments.filter(({ value }) => value.includes(exceptionMark)));
  const visit = (node: AnyNode, parents: readonly AnyNode[]): void => {
    if (callables.has(node.type)) measure(node, parents);
    const inside = [...parents, node];
    for (const child of childrenOf(node)) visit(child, inside);
  };
  const measure = (node: AnyNode, parents: readonly AnyNode[]): void => {
    const where = `${file.path}:${lineAt(node.start)}: ${nameOf([...parents, node])}`;
    const length = lineAt(node.end) - lineAt(node.start) + 1;
    if (length > functionLinesMax) {
      faults.push(`${where} has ${length} lines, at most ${functionLinesMax} are allowed`);
    }
    const comment = commentAbove(startOf(node, parents), comments, file.text);
    const count = countParameters(node);
    if (count <= parametersMax) return;
    if (comment !== undefined && exception.test(comment.value)) exceptions.delete(comment);
    else faults.push(`${where} has ${count} positional parameters, at most ${parametersMax} are allowed`);
  };
  visit(program as unknown as AnyNode, []);
  for (const { start } of exceptions) {
    faults.push(`${file.path}:${lineAt(start)}: "${exceptionMark}" allows nothing: no function below it needs it`);
  }
  return faults;
}

function* childrenOf(node: AnyNode): Generator<AnyNode> {
  for (const value of Object.values(node)) {
    for (const each of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof each === "object" && each !== null && "type" in each) yield each as AnyNode;
    }
  }
}

/** Without `this`, which is no parameter, and without a last `signal` or `stream`, or both. */
function countParameters(node: AnyNode): number {
  const names = (node["params"] as readonly AnyNode[]).map(parameterName).filter((name) => name !== "this");
  return names.findLastIndex((name) => !lastNames.has(name ?? "")) + 1;
}

/** The name of a parameter, whatever its form; undefined when it is taken apart. */
function parameterName(parameter: AnyNode | undefined): string | undefined {
  if (parameter === undefined) return undefined;
  if (typeof parameter["name"] === "string") return parameter["name"];
  return parameterName((parameter["parameter"] ?? parameter["left"] ?? parameter["argument"]) as AnyNode | undefined);
}

/** Where the declaration of a function begins: its comment stands above this. */
function startOf(node: AnyNode, parents: readonly AnyNode[]): number {
  const around = parents.findLastIndex((parent) => !declarations.has(parent.type));
  return (parents[around + 1] ?? node).start;
}

/** The comment that ends directly before a place. */
function commentAbove(at: number, comments: readonly Comment[], text: string): Comment | undefined {
  return comments.findLast(({ end }) => end <= at && text.slice(end, at).trim() === "");
}

/** The name that is nearest to a function. */
function nameOf(nodes: readonly AnyNode[]): string {
  for (const node of nodes.toReversed()) {
    const named = (node["id"] ?? node["key"]) as { readonly name?: string } | null | undefined;
    if (typeof named?.name === "string") return named.name;
  }
  return "a function";
}
