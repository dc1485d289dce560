export { encodePageMessage, frameEnds } from "./page-message.js";
export { checkBatch, splitRequest } from "./split-request.js";
export { frameBatches, readStamp, stampBytes } from "./stamp.js";
export type { RecordBatch } from "./record-batch.js";
export type { SplitRequest } from "./split-request.js";
export type { Frames } from "./stamp.js";
