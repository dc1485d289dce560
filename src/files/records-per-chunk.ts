/** Records per chunk of text: enough that the cost per chunk is small, few enough that the chunk stays small. */
export const recordsPerChunk = 64;
