import { inspect } from "node:util";
import { deliveryBounds } from "../../core/index.js";

/** The text of an error, cut to the length that the service stores. */
export function reasonOf(error: unknown): string {
  const text = textOf(error).toWellFormed();
  // Postgres cannot store U+0000 in a text.
  const plain = text.includes("\u0000") ? text.replaceAll("\u0000", "\ufffd") : text;
  const bytesMax = deliveryBounds.reasonBytes;
  if (plain.length * 3 <= bytesMax) return plain;
  const bytes = Buffer.from(plain);
  if (bytes.length <= bytesMax) return plain;
  let end: number = bytesMax;
  while (((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.toString("utf8", 0, end);
}

function textOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return typeof error === "string" ? error : inspect(error);
}
