/** The table cannot be read as requested. The message says what to do. */
export class TableError extends Error {
  override readonly name = "TableError";
}
