import { createReadStream } from "node:fs";
import { flatMap, from, type Source, type Stream, tap } from "../streams/index.js";

/** A source of bytes: a file by its path, or an iterable of chunks, such as `process.stdin`. */
export type ByteSource = string | Source<Uint8Array>;

export interface ByteSourceOptions {
  /** The name of the source in errors. Default: its path, or "the source". */
  readonly name?: string | undefined;
  /** Receives the size of each chunk, in bytes. */
  readonly onBytes?: ((count: number) => void) | undefined;
  /** The longest row, line or feature, in bytes. A longer one ends the reading with an error. Default 16 MiB. */
  readonly maxRowBytes?: number | undefined;
}

const chunkBytes = 262_144;

/** A longer row cannot become a record of 1 MiB, whatever it contains. */
export const defaultRowBytes = 16 * 1_048_576;

/** The first pull opens the source. */
export function openBytes(source: ByteSource, { onBytes }: ByteSourceOptions): Stream<Uint8Array> {
  const chunks: Stream<Uint8Array> =
    typeof source === "string"
      ? flatMap([source], (path): Source<Uint8Array> => createReadStream(path, { highWaterMark: chunkBytes }))
      : from(source);
  return onBytes === undefined ? chunks : tap(chunks, (chunk) => onBytes(chunk.length));
}

export function nameOf(source: ByteSource, { name }: ByteSourceOptions): string {
  return name ?? (typeof source === "string" ? source : "the source");
}
