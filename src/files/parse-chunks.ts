import { concat, flatMap, type Source, type Stream } from "../streams/index.js";

/** Takes bytes as they come, cut anywhere. */
export interface ChunkParser<T> {
  /** What is complete with this chunk. A fault comes behind what is sound. */
  write(chunk: Uint8Array): Iterable<T> | Promise<Iterable<T>>;
  /** What is left when the bytes are over. */
  end(): Iterable<T> | Promise<Iterable<T>>;
}

/** What a parser makes of a source, chunk by chunk: pulled, and no more held than a chunk and what the parser keeps. */
export function parseChunks<T>(chunks: Source<Uint8Array>, parser: ChunkParser<T>): Stream<T> {
  const over = Symbol("over");
  return flatMap(concat<Uint8Array | typeof over>(chunks, [over]), (chunk) =>
    chunk === over ? parser.end() : parser.write(chunk),
  );
}

/** Items, and then a failure. */
export function* itemsThenFailure<T>(items: readonly T[], error: unknown): Generator<T, void> {
  yield* items;
  throw error;
}
