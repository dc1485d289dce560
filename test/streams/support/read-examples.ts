import { readFileSync } from "node:fs";
import { type Comment, parseSync, Visitor } from "oxc-parser";
import { readSources, type SourceFile } from "../../support/imports.js";

/** A program that the documentation shows. */
export interface Example {
  /** File and line, to find an example that fails: `src/streams/operators/map.ts:17`. */
  readonly name: string;
  readonly code: string;
}

/** Every `@example` in the doc comments of a folder, in the order of the files. */
export function readDocExamples(folder: string): Example[] {
  return readSources(folder).flatMap((file) => docCommentsOf(file).flatMap((comment) => examplesOf(file, comment)));
}

/** Every `ts` block of a page that prints something. */
export function readPageExamples(path: string): Example[] {
  const page = readFileSync(path, "utf8");
  return [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)]
    .map((match) => ({ name: `${path}:${lineAt(page, match.index) + 1}`, code: match[1] ?? "" }))
    .filter(({ code }) => code.includes("console.log("));
}

/** The expected output of an example: the comment behind each `console.log`, or alone on the lines below it. */
export function readExpected(example: Example): string {
  const { program, comments } = parse({ path: "example.ts", text: example.code });
  const { code } = example;
  const said: { readonly at: number; readonly text: string }[] = [];
  new Visitor({
    CallExpression: (node) => {
      if (code.slice(node.callee.start, node.callee.end) !== "console.log") return;
      const line = lineAt(code, node.end);
      const behind = comments.find(({ start }) => start > node.end && lineAt(code, start) === line);
      const found = behind === undefined ? commentsBelow(code, comments, line) : [behind];
      for (const { start, value } of found) said.push({ at: start, text: value });
    },
  }).visit(program);
  // Two calls on one line share its comment.
  const texts = new Map(said.toSorted((a, b) => a.at - b.at).map(({ at, text }) => [at, text]));
  return onOneLine([...texts.values()].join(" "));
}

/** Comments alone on the lines below `line`. */
function commentsBelow(code: string, comments: readonly Comment[], line: number): Comment[] {
  const below: Comment[] = [];
  for (const comment of comments) {
    const isNext = lineAt(code, comment.start) === line + 1 + below.length;
    if (isNext && isAlone(code, comment.start)) below.push(comment);
  }
  return below;
}

/** Outputs are compared on one line: node breaks long values into lines, a comment does not. */
export function onOneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** Whether `name`, which a file exports, is a function or class without an `@example` before it or in it. */
export function lacksExample(file: SourceFile, name: string): boolean {
  const { program } = parse(file);
  const withExample = docCommentsOf(file).filter((comment) => examplesOf(file, comment).length > 0);
  const declarations = program.body.filter(
    (statement): statement is Declaration =>
      statement.type === "ExportNamedDeclaration" && nameOf(statement.declaration) === name,
  );
  return (
    declarations.length > 0 &&
    !declarations.some((declaration) =>
      withExample.some(
        ({ start, end }) =>
          (end <= declaration.start && file.text.slice(end, declaration.start).trim() === "") ||
          (start > declaration.start && end < declaration.end),
      ),
    )
  );
}

type Declaration = Extract<ReturnType<typeof parse>["program"]["body"][number], { type: "ExportNamedDeclaration" }>;

/** The declared function or class that users call: not an abstract class, which they only extend. */
function nameOf(declaration: Declaration["declaration"]): string | undefined {
  if (declaration?.type === "ClassDeclaration") return declaration.abstract ? undefined : declaration.id?.name;
  const isFunction = declaration?.type === "FunctionDeclaration" || declaration?.type === "TSDeclareFunction";
  return isFunction ? declaration.id?.name : undefined;
}

/** The names that a program uses alone: not as a member of another, and not as a key. */
export function readIdentifiers(code: string): ReadonlySet<string> {
  const { program } = parse({ path: "example.ts", text: code });
  const names = new Set<string>();
  const places = new Set<number>();
  new Visitor({
    MemberExpression: (node) => void (node.computed || places.add(node.property.start)),
    Property: (node) => void (node.computed || node.shorthand || places.add(node.key.start)),
    Identifier: (node) => void (places.has(node.start) || names.add(node.name)),
  }).visit(program);
  return names;
}

/** The names that a module re-exports or imports, with their modules. */
export function readNames(
  file: SourceFile,
): { readonly name: string; readonly from: string; readonly isType: boolean }[] {
  const found: { name: string; from: string; isType: boolean }[] = [];
  const textOf = (node: { name?: string; value?: unknown }) => String(node.name ?? node.value);
  new Visitor({
    ExportNamedDeclaration: (node) => {
      for (const { local, exportKind } of node.source === null ? [] : node.specifiers) {
        const isType = node.exportKind === "type" || exportKind === "type";
        found.push({ name: textOf(local), from: node.source?.value ?? "", isType });
      }
    },
    ImportDeclaration: (node) => {
      for (const specifier of node.specifiers) {
        if (specifier.type !== "ImportSpecifier") continue;
        const isType = node.importKind === "type" || specifier.importKind === "type";
        found.push({ name: textOf(specifier.imported), from: node.source.value, isType });
      }
    },
  }).visit(parse(file).program);
  return found;
}

function docCommentsOf(file: SourceFile): Comment[] {
  return parse(file).comments.filter(({ type, value }) => type === "Block" && value.startsWith("*"));
}

function examplesOf(file: SourceFile, comment: Comment): Example[] {
  const lines = comment.value.split("\n").map((line) => line.replace(/^ *\*? ?/, ""));
  const examples: Example[] = [];
  lines.forEach((line, index) => {
    if (!line.startsWith("@example")) return;
    const rest = lines.slice(index + 1);
    const end = rest.findIndex((next) => next.startsWith("@"));
    const code = rest.slice(0, end === -1 ? undefined : end).filter((next) => !next.startsWith("```"));
    examples.push({
      name: `${file.path}:${lineAt(file.text, comment.start) + index + 1}`,
      code: `${code.join("\n").trim()}\n`,
    });
  });
  return examples;
}

function parse(file: SourceFile): ReturnType<typeof parseSync> {
  // Declared, since top-level await alone does not make a file a module.
  const parsed = parseSync(file.path, file.text, { sourceType: "module" });
  if (parsed.errors[0] !== undefined) throw new Error(`Cannot parse ${file.path}: ${parsed.errors[0].message}`);
  return parsed;
}

/** Lines count from 0. */
function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length - 1;
}

function isAlone(text: string, offset: number): boolean {
  return text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset).trim() === "";
}
