/** Follows imports through built files, to find the modules and packages that an entry needs. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { parseSync, Visitor } from "oxc-parser";

/**
 * Reads the modules that these entries reach, separately for code and declarations: a `.js` leads to the `.js` files
 * that it loads, a `.d.ts` to the `.d.ts` files that it names. `carried` maps the specifier of a package's module to
 * its file, which is followed like our own.
 *
 * Returns each module by its path, with its imports, and the specifiers of all modules that are not carried.
 */
export function reachableModules(entries, carried) {
  const modules = new Map();
  const specifiers = new Set();
  const waiting = [...entries];
  for (const file of waiting) {
    if (modules.has(file)) continue;
    const text = readFileSync(file, "utf8");
    const links = [];
    for (const { value, start, end } of readSpecifiers(file, text)) {
      const target = value.startsWith(".") ? path.join(path.dirname(file), value) : carried[value];
      if (target === undefined) specifiers.add(value);
      else links.push({ start, end, target: file.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target });
    }
    modules.set(file, { text, links });
    waiting.push(...links.map(({ target }) => target));
  }
  return { modules, specifiers };
}

/**
 * The string literals that name modules, with their positions. From a parser, since comments contain examples with
 * imports.
 */
function readSpecifiers(file, text) {
  const { program, errors } = parseSync(file, text);
  if (errors[0] !== undefined) throw new Error(`Cannot parse ${file}: ${errors[0].message}`);
  const found = [];
  const note = ({ source }) => {
    if (source === null) return;
    if (typeof source.value !== "string") throw new Error(`Cannot follow a computed import in ${file}`);
    found.push(source);
  };
  new Visitor({
    ImportDeclaration: note,
    ExportAllDeclaration: note,
    ExportNamedDeclaration: note,
    ImportExpression: note,
    TSImportType: note,
  }).visit(program);
  return found;
}
