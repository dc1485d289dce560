import type pg from "pg";
import { pageSpareBytes } from "../../../core/index.js";

/** What pg's client tells the query that is active; the part that COPY TO STDOUT needs. */
interface ActiveQuery extends pg.Submittable {
  handleCopyData(message: { readonly chunk: Buffer }): void;
  handleCommandComplete(): void;
  handleReadyForQuery(): void;
  handleError(error: Error): void;
}

/**
 * Runs `COPY … TO STDOUT (FORMAT binary)` of at most one row on a client and resolves with its bytes, without the
 * trailer, in a buffer of their own with `pageSpareBytes` behind them. The parser gives chunks as views of a buffer that
 * it writes over, so each is copied at once; a row is one chunk and the trailer another, so a page is copied once.
 */
export function copyToBuffer(client: pg.ClientBase, text: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const query: ActiveQuery = {
      submit(connection) {
        connection.query(text);
      },
      handleCopyData({ chunk }) {
        if (!isTrailer(chunk)) chunks.push(joinWithSpare([chunk]));
      },
      handleCommandComplete: () => undefined,
      handleReadyForQuery() {
        resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : joinWithSpare(chunks));
      },
      handleError: reject,
    };
    client.query(query);
  });
}

/** A row of -1 fields ends the data. */
function isTrailer(chunk: Buffer): boolean {
  return chunk.length === 2 && chunk.readInt16BE() === -1;
}

/** Never from Node's shared pool: what is behind the bytes must be nobody else's. */
function joinWithSpare(chunks: readonly Buffer[]): Buffer {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const joined = Buffer.allocUnsafeSlow(length + pageSpareBytes);
  let at = 0;
  for (const chunk of chunks) at += chunk.copy(joined, at);
  return joined.subarray(0, length);
}
