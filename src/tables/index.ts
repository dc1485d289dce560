/**
 * Records from the tables of any Postgres database. Public as `millrace/tables`, the only one that loads a database
 * driver.
 */

export { importTable, recordsFromTable } from "./import-table.js";
export { TableError } from "./table-error.js";
export type { ImportTableOptions, TableOptions, TableProgress } from "./import-table.js";
export type { TableMapping } from "./row-record.js";
