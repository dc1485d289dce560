import type { Appended } from "../core/index.js";
import type { AppendResponse } from "../gen/millrace/v1/record_service.js";

/** Also the answer to a published batch, which has the same fields. */
export function encodeAppended({ firstOffset, nextOffset, epoch, isRepeated }: Appended): AppendResponse {
  return { firstOffset, nextOffset, epoch, repeated: isRepeated };
}

export function decodeAppended({ firstOffset = 0, nextOffset, epoch, repeated }: AppendResponse): Appended {
  return { firstOffset, nextOffset, epoch, isRepeated: repeated };
}
