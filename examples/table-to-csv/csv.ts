/** A line of CSV as RFC 4180 has it: quotes where a value needs them, nothing for NULL. */
export function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvValue).join(",")}\r\n`;
}

function csvValue(value: unknown): string {
  const text = textOf(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Times as ISO 8601, JSON as JSON, the rest as Postgres writes it. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value);
}
