import { describe, expect, test } from "vitest";
import { pageRoom } from "../../src/core/index.js";
import { FollowResponse, ReadResponse } from "../../src/gen/millrace/v1/record_service.js";
import { StateServiceListResponse, StateServiceWatchResponse } from "../../src/gen/millrace/v1/state_service.js";
import {
  decodeFrames,
  decodeRecordsMessage,
  encodeListMessage,
  encodePageMessage,
  encodeWatchMessage,
  frameEnds,
  pageAsMessage,
  withoutPrefix,
} from "../../src/wire/index.js";
import { framesOf } from "../support/frames.js";

const largest = 2 ** 53 - 1;
const next = { epoch: 2 ** 48 - 1, offset: largest };
const { bytes } = framesOf([5, 0, 300], 7);
const offsets = [7, 8, 9];
const offsetsOf = (records: readonly { readonly offset?: number | undefined }[]) => records.map(({ offset }) => offset);

describe("encodePageMessage()", () => {
  const [first = 0] = frameEnds(bytes, 3);
  const runs = [bytes.subarray(0, first), bytes.subarray(first)];

  for (const [name, response] of Object.entries({ ReadResponse, FollowResponse })) {
    test(`encodes a ${name} of all runs, with the position`, () => {
      const message = response.decode(withoutPrefix(encodePageMessage(runs, next)));
      expect(message).toMatchObject({ next });
      expect(offsetsOf(message.records)).toEqual(offsets);
      expect(response.decode(withoutPrefix(encodePageMessage([], next)))).toMatchObject({ records: [], next });
    });
  }

  test("encodes the last key of a listing, and the keys that left a watch", () => {
    const listed = StateServiceListResponse.decode(withoutPrefix(encodeListMessage(runs, next, "käse")));
    expect(listed).toMatchObject({ next, lastKey: "käse" });
    expect(offsetsOf(listed.records)).toEqual(offsets);
    expect(StateServiceListResponse.decode(withoutPrefix(encodeListMessage([], next, undefined))).lastKey).toBe("");
    const watched = StateServiceWatchResponse.decode(withoutPrefix(encodeWatchMessage(runs, next, ["a", "", "ü"])));
    expect(watched).toMatchObject({ next, left: ["a", "", "ü"] });
    expect(offsetsOf(watched.records)).toEqual(offsets);
  });
});

describe("pageAsMessage()", () => {
  const { before, behind } = pageRoom;
  const buffer = Buffer.concat([Buffer.alloc(before), bytes, Buffer.alloc(behind)]);
  const frames = buffer.subarray(before, before + bytes.length);

  test("writes the position after the frames and the prefix before them, and copies nothing", () => {
    const message = pageAsMessage({ runs: [frames], hasRoom: true, next });
    expect(message.buffer).toBe(buffer.buffer);
    expect(message.readUInt32BE(1)).toBe(message.length - 5);
    expect(ReadResponse.decode(withoutPrefix(message))).toMatchObject({ next });
    expect(frames.equals(bytes)).toBe(true);
  });

  test.each([0, 127, 128, largest])("writes the end of a read into the same room, at %d", (endOffset) => {
    const message = pageAsMessage({ runs: [frames], hasRoom: true, next }, endOffset);
    expect(message.buffer).toBe(buffer.buffer);
    expect(message.readUInt32BE(1)).toBe(message.length - 5);
    const decoded = ReadResponse.decode(withoutPrefix(message));
    expect(decoded).toMatchObject({ next, endOffset });
    expect(offsetsOf(decoded.records)).toEqual(offsets);
    expect(frames.equals(bytes)).toBe(true);
    const { rest = Buffer.alloc(0) } = decodeRecordsMessage(withoutPrefix(message));
    expect(ReadResponse.decode(rest)).toMatchObject({ records: [], next: undefined, endOffset });
  });

  test("takes no more room than there is", () => {
    const largestNext = { epoch: largest, offset: largest };
    const message = pageAsMessage({ runs: [frames], hasRoom: true, next: largestNext }, largest);
    expect(message.buffer).toBe(buffer.buffer);
    expect(message.byteOffset + message.length).toBeLessThanOrEqual(buffer.byteOffset + buffer.length);
  });

  test("writes no end unless there is one", () => {
    const message = withoutPrefix(pageAsMessage({ runs: [frames], hasRoom: true, next }));
    expect(ReadResponse.decode(message).endOffset).toBeUndefined();
    expect(decodeRecordsMessage(message).rest).toBeUndefined();
  });

  test.each([
    ["there is no room", { runs: [frames] }],
    ["it has several runs", { runs: [frames, frames], hasRoom: true }],
    ["it has none", { runs: [], hasRoom: true }],
  ])("copies a page when %s", (_case, page) => {
    const message = pageAsMessage({ ...page, next });
    expect(message.buffer).not.toBe(buffer.buffer);
    expect(message).toEqual(encodePageMessage(page.runs, next));
    const first = ReadResponse.decode(withoutPrefix(pageAsMessage({ ...page, next }, 9)));
    expect(first).toEqual({ ...ReadResponse.decode(withoutPrefix(message)), endOffset: 9 });
  });
});

describe("decodeFrames()", () => {
  test("reads the records of all runs", () => {
    expect(offsetsOf(decodeFrames([bytes, bytes]))).toEqual([...offsets, ...offsets]);
  });
});
