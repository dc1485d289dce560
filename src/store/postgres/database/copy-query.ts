import type pg from "pg";

/** What pg's client tells the query that is active; the part that COPY TO STDOUT needs. */
interface ActiveQuery extends pg.Submittable {
  handleCopyData(message: { readonly chunk: Buffer }): void;
  handleCommandComplete(): void;
  handleReadyForQuery(): void;
  handleError(error: Error): void;
}

/**
 * Runs `COPY … TO STDOUT` on a client and resolves with its bytes. The parser gives chunks as views of a buffer that it
 * writes over, so each is copied at once; a page is one chunk, so this is the only copy.
 */
export function copyToBuffer(client: pg.ClientBase, text: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const query: ActiveQuery = {
      submit(connection) {
        connection.query(text);
      },
      handleCopyData(message) {
        chunks.push(Buffer.from(message.chunk));
      },
      handleCommandComplete: () => undefined,
      handleReadyForQuery() {
        resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
      },
      handleError: reject,
    };
    client.query(query);
  });
}
