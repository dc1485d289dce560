/** A table that cannot be read as it was asked for. The message names the way out. */
export class TableError extends Error {
  override readonly name = "TableError";
}
