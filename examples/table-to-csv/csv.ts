/** A line of CSV as Postgres' COPY writes it: quotes where a value needs them, nothing for NULL. */
export function csvLine(values: readonly (string | null)[]): string {
  return `${values.map(csvValue).join(",")}\n`;
}

/** An empty text is quoted, to distinguish it from NULL. */
function csvValue(value: string | null): string {
  if (value === null) return "";
  return value === "" || /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
