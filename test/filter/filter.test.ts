import fc from "fast-check";
import { expect, test } from "vitest";
import { parseFilter } from "../../src/filter/index.js";
import { stampBatches } from "../../src/wire/index.js";
import { batchOfRecords, filterArbitrary, filteredRecordArbitrary } from "../support/filter-arbitrary.js";

const timeMs = 1_760_000_000_123;

test("matches(), agrees with the meaning of the language, for any filter and record", () => {
  fc.assert(
    fc.property(
      filterArbitrary(timeMs),
      fc.array(filteredRecordArbitrary, { minLength: 1, maxLength: 10 }),
      fc.constantFrom(0, 456),
      ({ text, meaning }, messages, micros) => {
        const filter = parseFilter(text);
        const frames = stampBatches([batchOfRecords(messages)], 20, timeMs * 1000 + micros);
        let start = 0;
        for (const [index, message] of messages.entries()) {
          const end = frames.ends[index] as number;
          const headerBytes = end - start < 130 ? 2 : 3;
          const record = { message, offset: 20 + index, timeMs, size: end - start - headerBytes };
          expect({ text, record, matches: filter.matches(frames.bytes, start, end) }).toEqual({
            text,
            record,
            matches: meaning(record) === true,
          });
          start = end;
        }
      },
    ),
    { numRuns: Number(process.env["FILTER_RUNS"] ?? 500) },
  );
});
