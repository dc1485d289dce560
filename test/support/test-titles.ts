import { parseSync } from "oxc-parser";
import type { SourceFile } from "./imports.js";

/** A test by the titles of its `describe`s and its own, outermost first. */
export type TestTitle = readonly string[];

const blocks = new Set(["describe", "test", "it"]);

/**
 * Every test of a file, as its titles stand in the source: `%s` is `%s`, and what a template inserts is `…`. A title that
 * is a variable is left out.
 */
export function readTestTitles(file: SourceFile): TestTitle[] {
  const { program, errors } = parseSync(file.path, file.text);
  if (errors[0] !== undefined) throw new Error(`Cannot parse ${file.path}: ${errors[0].message}`);
  const titles: TestTitle[] = [];
  visit(program, []);
  return titles;

  function visit(node: unknown, outer: TestTitle): void {
    if (Array.isArray(node)) for (const each of node) visit(each, outer);
    else if (isNode(node)) {
      const title = titleOf(node);
      const inner = title === undefined ? outer : [...outer, title.text];
      if (title?.block === "test" || title?.block === "it") titles.push(inner);
      for (const child of Object.values(node)) visit(child, inner);
    }
  }
}

interface Node {
  readonly type: string;
  readonly [property: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

/** The title of `test("…", …)`, `test.each(…)("…", …)` and their like. */
function titleOf(node: Node): { readonly block: string; readonly text: string } | undefined {
  if (node.type !== "CallExpression") return undefined;
  const block = blockOf(node["callee"]);
  const [first] = node["arguments"] as readonly unknown[];
  if (block === undefined || !isNode(first)) return undefined;
  if (first.type === "Literal" && typeof first["value"] === "string") return { block, text: first["value"] };
  if (first.type !== "TemplateLiteral") return undefined;
  const quasis = first["quasis"] as readonly { readonly value: { readonly cooked: string } }[];
  return { block, text: quasis.map(({ value }) => value.cooked).join("…") };
}

function blockOf(callee: unknown): string | undefined {
  if (!isNode(callee)) return undefined;
  if (callee.type === "Identifier") return blocks.has(String(callee["name"])) ? String(callee["name"]) : undefined;
  return blockOf(callee.type === "MemberExpression" ? callee["object"] : callee["callee"]);
}
