import type { MillraceClient } from "../client/index.js";
import type { ByteSource } from "./byte-source.js";
import { type FileFormat, type FileOptions, rowsFromFile } from "./file-formats.js";
import { type ImportOptions, type ImportProgress, importRows } from "./import-rows.js";

/**
 * Imports a file or a stream into a topic: each record once, even when it runs several times. See `importRows`.
 *
 * Positional parameters: public, and in the order of the client's calls.
 */
export function importFile(
  client: MillraceClient,
  topic: string,
  source: ByteSource,
  options: FileOptions & ImportOptions & { readonly format: FileFormat },
): Promise<ImportProgress> {
  return importRows(client, topic, { ...options, rows: rowsFromFile(source, options.format, options) });
}
