/** As `operations.ts`, those that make blocks or fold producers: the second parameter is the log's shape. */

export { append } from "./log/append-blocks.js";
export { appendLocked } from "./log/append-locked.js";
export { appendTogether } from "./log/append-together.js";
export { commit } from "./claims/commit.js";
export { deleteTrimmed } from "./upkeep/delete-trimmed.js";
export { mergeBlocks } from "./upkeep/merge-blocks.js";
