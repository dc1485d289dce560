import { concat, flatMap, type Source, type Stream } from "../streams/index.js";

/** Parses bytes in chunks that may be cut anywhere. */
export interface ChunkParser<T> {
  /** The items that this chunk completes. A fault is thrown after the items before it. */
  write(chunk: Uint8Array): Iterable<T> | Promise<Iterable<T>>;
  /** The items that are left at the end of the bytes. */
  end(): Iterable<T> | Promise<Iterable<T>>;
}

/** The items that a parser makes from a source. Holds one chunk at a time, and the parser's own state. */
export function parseChunks<T>(chunks: Source<Uint8Array>, parser: ChunkParser<T>): Stream<T> {
  const over = Symbol("over");
  return flatMap(concat<Uint8Array | typeof over>(chunks, [over]), (chunk) =>
    chunk === over ? parser.end() : parser.write(chunk),
  );
}

export function* itemsThenFailure<T>(items: readonly T[], error: unknown): Generator<T, void> {
  yield* items;
  throw error;
}
