import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodedRecord } from "../../src/files/file-row.js";
import { type FileFormat, fileFormats, rowsFromFile, textFromRecords } from "../../src/files/file-formats.js";
import { collect } from "../../src/streams/index.js";
import { recordArbitrary } from "../support/record-arbitrary.js";
import { contentOf, contentOfBytes, receivedRecords, withSortedFields } from "../support/received-record.js";

const limit = 1000;

/** Bytes in chunks that are cut anywhere, also inside lines and characters. */
function cut(text: string, chunkBytes: number): Buffer[] {
  const bytes = Buffer.from(text);
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes));
  return chunks;
}

async function contentsOf(format: FileFormat, text: string, chunkBytes: number): Promise<string[]> {
  const rows = await collect(rowsFromFile(cut(text, chunkBytes), format, { name: "file" }), { limit });
  return rows.map((row) =>
    row.kind === "bad" ? JSON.stringify(row.error.message) : contentOfBytes(encodedRecord(row.record)),
  );
}

describe.each(fileFormats)("records as %s", (format) => {
  test("are read back as the same records, however the file is cut into chunks", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(recordArbitrary, { maxLength: 5 }),
        fc.integer({ min: 1, max: 200 }),
        async (messages, chunkBytes) => {
          const records = receivedRecords(messages);
          const text = (await collect(textFromRecords(records, format), { limit })).join("");
          const same = (content: string) => (format === "csv" ? withSortedFields(content) : content);
          expect((await contentsOf(format, text, chunkBytes)).map(same)).toEqual(records.map(contentOf).map(same));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("are pulled: at most the records for one chunk of text", async () => {
    let asked = 0;
    const [record] = receivedRecords([fc.sample(recordArbitrary, 1)[0] as never]);
    const endless = function* () {
      for (;;) {
        asked += 1;
        yield record as NonNullable<typeof record>;
      }
    };
    const text = textFromRecords(endless(), format);
    await text.next();
    await text.next();
    await text.return();
    // CSV samples the first thousand for its columns.
    expect(asked).toBeLessThanOrEqual(format === "csv" ? 1024 : 128);
  });
});
