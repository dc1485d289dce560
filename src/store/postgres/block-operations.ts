/** The operations that cut blocks or fold producers. As in `operations.ts`, but their second parameter is the log's shape. */

export { append } from "./log/append-blocks.js";
export { appendLocked } from "./log/append-locked.js";
export { appendTogether } from "./log/append-together.js";
export { commit } from "./claims/commit.js";
export { deleteTrimmed } from "./upkeep/delete-trimmed.js";
export { mergeBlocks } from "./upkeep/merge-blocks.js";
