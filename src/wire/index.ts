export { decodeAppended, encodeAppended } from "./appended.js";
export { BackwardWriter } from "./backward-writer.js";
export { decodeFrames, decodeRecordsMessage } from "./decode-message.js";
export { decodeParkedMessage } from "./decode-parked.js";
export { ReceivedRecord } from "./decode-record.js";
export { jsonOfMap } from "./decode-struct.js";
export { durationOfMs, durationOfText, durationText, msOfDuration } from "./duration.js";
export { encodeDeliveryMessage } from "./delivery-message.js";
export { writeRecord } from "./encode-record.js";
export { joinRuns } from "./join-runs.js";
export { prefixBytes, withoutPrefix, withPrefix } from "./length-prefix.js";
export { slotOf } from "./key-queue.js";
export { keyChangesOf } from "./key-changes.js";
export { unexpiredAt } from "./lifetime.js";
export { encodeListMessage, encodePageMessage, encodeWatchMessage, frameEnds, pageAsMessage } from "./page-message.js";
export { noRecords } from "./record-batch.js";
export { positionOf } from "./position.js";
export { decodeRetention, encodeRetention } from "./retention.js";
export { splitField } from "./split-field.js";
export { batchBytes, checkBatch, splitRequest } from "./split-request.js";
export { readStamp, stampBatches, stampBytes } from "./stamp.js";
export { StoredRecord } from "./stored-record.js";
export { thinPage } from "./thin-page.js";
export { dateOfTimestamp, timestampOfDate, timestampOfMicros, timestampOfText, timestampText } from "./timestamp.js";
export { varintLength, writeVarint } from "./varint.js";
export { decodeConsumerWaiting, encodedConsumerWaiting } from "./words/consumer-waiting.js";
export { errorReason } from "./words/error-reason.js";
export { decodeFollowWaiting, encodedFollowWaiting } from "./words/follow-waiting.js";
export {
  decodedFilteredMethod,
  decodedFilterPlace,
  decodedQueueKind,
  encodedFilteredMethod,
  encodedFilterPlace,
  encodedQueueKind,
} from "./words/inspecting.js";
export { decodeLiveStreamWaiting, encodedLiveStreamWaiting } from "./words/live-stream-waiting.js";
export {
  decodedDirection,
  decodedWhenBehind,
  decodedWhenTrimmed,
  decodeSkippedReason,
  encodedDirection,
  encodedSkippedReason,
  encodedWhenBehind,
  encodedWhenTrimmed,
} from "./words/reading.js";
export { decodedSharing, encodedSharing } from "./words/sharing.js";
export type { RecordsMessage } from "./decode-message.js";
export type { ParkedMessage } from "./decode-parked.js";
export type { Location } from "./decode-parts.js";
export type { AnyMessage, RecordBody } from "./decode-record.js";
export type { JsonObject, JsonValue } from "./decode-struct.js";
export type { KeyChange } from "./key-changes.js";
export type { Duration } from "./duration.js";
export type { RecordInput } from "./encode-record.js";
export type { RecordBatch } from "./record-batch.js";
export type { SplitRequest } from "./split-request.js";
export type { Frames } from "./stamp.js";
export type { KeepFrame, ThinnedPage } from "./thin-page.js";
export type { Timestamp } from "./timestamp.js";
