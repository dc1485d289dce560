import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseSync, Visitor } from "oxc-parser";

/** A module, by its path from the repository's top (`src/core/page.ts`). */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** What a module takes from elsewhere, and how it hands on what it has. */
export interface ModuleLinks {
  /** Every module that is named: static, dynamic, type-only and re-exporting imports, in the order of the text. */
  readonly specifiers: readonly string[];
  /** Imports whose module is computed, as they are written. */
  readonly computed: readonly string[];
  readonly exportsAll: boolean;
  readonly exportsDefault: boolean;
}

/** Every TypeScript module under a folder, sorted by path. */
export function readSources(folder: string): SourceFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => path.posix.join(entry.parentPath, entry.name))
    .toSorted()
    .map((file) => ({ path: file, text: readFileSync(file, "utf8") }));
}

/** Reads a module with a parser, so that comments and strings that look like imports do not count. */
export function readLinks(file: SourceFile): ModuleLinks {
  const { program, errors } = parseSync(file.path, file.text);
  if (errors[0] !== undefined) throw new Error(`Cannot parse ${file.path}: ${errors[0].message}`);
  const specifiers: string[] = [];
  const computed: string[] = [];
  let exportsAll = false;
  let exportsDefault = false;
  new Visitor({
    ImportDeclaration: (node) => void specifiers.push(node.source.value),
    ExportAllDeclaration: (node) => {
      specifiers.push(node.source.value);
      exportsAll = true;
    },
    ExportNamedDeclaration: (node) => {
      if (node.source !== null) specifiers.push(node.source.value);
    },
    ExportDefaultDeclaration: () => {
      exportsDefault = true;
    },
    ImportExpression: (node) => {
      if (node.source.type === "Literal" && typeof node.source.value === "string") specifiers.push(node.source.value);
      else computed.push(file.text.slice(node.start, node.end));
    },
    TSImportType: (node) => void specifiers.push(node.source.value),
    TSExternalModuleReference: (node) => void specifiers.push(node.expression.value),
  }).visit(program);
  return { specifiers, computed, exportsAll, exportsDefault };
}
