import type pg from "pg";
import { type CopyField, eachCopyRow } from "./copy-row.js";

/** The callbacks of pg's active query that COPY TO STDOUT needs. */
interface ActiveQuery extends pg.Submittable {
  handleCopyData(message: { readonly chunk: Uint8Array }): void;
  handleCommandComplete(): void;
  handleReadyForQuery(): void;
  handleError(error: Error): void;
}

/**
 * Runs `COPY … TO STDOUT (FORMAT binary)` on a client and passes on its rows one by one. The fields are views of a
 * buffer that the parser overwrites: `onRow` must copy what it keeps. Both databases support it. Measured at 2000
 * records a page, in thousand records/s: 2381 by COPY, 898 by base64, 767 by hex, 250 as row objects.
 */
export function copyRows(
  client: pg.ClientBase,
  text: string,
  onRow: (fields: readonly CopyField[]) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: unknown;
    const query: ActiveQuery = {
      submit(connection) {
        connection.query(text);
      },
      handleCopyData({ chunk }) {
        if (failure !== undefined) return;
        try {
          // PGlite returns a plain Uint8Array.
          eachCopyRow(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length), onRow);
        } catch (error) {
          // An error thrown from here would end the connection in the middle of an answer.
          failure = error;
        }
      },
      handleCommandComplete: () => undefined,
      handleReadyForQuery: () => (failure === undefined ? resolve() : reject(failure as Error)),
      handleError: reject,
    };
    client.query(query);
  });
}
