import { createReadStream } from "node:fs";
import { flatMap, from, type Source, type Stream, tap } from "../streams/index.js";

/** Where bytes come from: a file by its path, or anything that gives chunks, such as `process.stdin`. */
export type ByteSource = string | Source<Uint8Array>;

export interface ByteSourceOptions {
  /** What errors call the source. Default: its path, or "the source". */
  readonly name?: string | undefined;
  /** Told how many bytes each chunk has. */
  readonly onBytes?: ((count: number) => void) | undefined;
  /** The longest row, line or feature, in bytes: longer ones end the reading. Default 16 MiB. */
  readonly maxRowBytes?: number | undefined;
}

const chunkBytes = 262_144;

/** What is longer cannot become a record of 1 MiB, whatever is in it. */
export const defaultRowBytes = 16 * 1_048_576;

/** Nothing is opened before it is asked for. */
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
