import { createReadStream } from "node:fs";
import { flatMap, from, type Source, type Stream, tap } from "../streams/index.js";

/** Where bytes come from: a file by its path, or anything that gives chunks, such as `process.stdin`. */
export type ByteSource = string | Source<Uint8Array>;

export interface ByteSourceOptions {
  /** What errors call the source. Default: its path, or "the source". */
  readonly name?: string | undefined;
  /** Told how many bytes each chunk has. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

const chunkBytes = 262_144;

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
