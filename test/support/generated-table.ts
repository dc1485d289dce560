import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";

/** Compares the table between a page's markers with the one that the code gives. With `UPDATE_DOCS=1` it is written. */
export function expectGeneratedTable(page: string, table: string): void {
  const document = readFileSync(page, "utf8");
  const renewed = document.replace(
    /<!-- table -->[\s\S]*<!-- \/table -->/,
    () => `<!-- table -->\n${table}\n<!-- /table -->`,
  );
  if (process.env["UPDATE_DOCS"] === "1") writeFileSync(page, renewed);
  else expect(document, `${page} is out of date: UPDATE_DOCS=1 writes it`).toBe(renewed);
}
