/** The names of the columns of an exported CSV file. */

/** The columns of a record's own fields. A header with the last two is that of an export. */
export const ownColumns = [
  "key",
  "offset",
  "time",
  "event_time",
  "lifetime",
  "latitude",
  "longitude",
  "attributes",
  "body_kind",
  "body",
] as const;

export type OwnColumn = (typeof ownColumns)[number];

export type ColumnMeaning =
  | { readonly kind: "own"; readonly column: OwnColumn }
  | { readonly kind: "attribute"; readonly name: string }
  /** A field of the json body. */
  | { readonly kind: "field"; readonly name: string };

/** The meaning of a column. `json.NAME` is always a field, even if NAME alone means something else. */
export function meaningOf(column: string): ColumnMeaning {
  if (isOwn(column)) return { kind: "own", column };
  if (column.startsWith("attributes.")) return { kind: "attribute", name: column.slice("attributes.".length) };
  return { kind: "field", name: column.startsWith("json.") ? column.slice("json.".length) : column };
}

/** The column of a field. */
export function columnOfField(name: string): string {
  const isPlain = name !== "" && !isOwn(name) && !name.startsWith("attributes.") && !name.startsWith("json.");
  return isPlain ? name : `json.${name}`;
}

export function isExportHeader(header: readonly string[]): boolean {
  return header.includes("body_kind") && header.includes("body");
}

function isOwn(column: string): column is OwnColumn {
  return (ownColumns as readonly string[]).includes(column);
}
