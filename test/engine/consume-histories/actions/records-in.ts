import type { ConsumeMessage } from "../../../../src/engine/index.js";
import { ReadResponse } from "../../../../src/gen/millrace/v1/record_service.js";
import type { Handed } from "../model/facts.js";

/** The offsets of a message's records, with the bytes that count for each: its whole field. */
export function recordsIn({ runs }: ConsumeMessage): Handed[] {
  return runs.flatMap((run) => {
    const { records } = ReadResponse.decode(run);
    let end = 0;
    return records.map(({ offset }) => {
      const start = end;
      let length = 0;
      let shift = 0;
      // The tag is one byte.
      for (end += 1; ; end += 1) {
        const byte = run[end] ?? 0;
        length += (byte & 0x7f) * 2 ** shift;
        shift += 7;
        if (byte < 0x80) break;
      }
      end += 1 + length;
      return { offset: offset ?? Number.NaN, bytes: end - start };
    });
  });
}
