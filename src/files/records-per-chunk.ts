/** How many records become one piece of text: enough that a piece costs little, few enough that it stays small. */
export const recordsPerChunk = 64;
