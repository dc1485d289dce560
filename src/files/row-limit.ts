/** A row, line or feature longer than this cannot become a record of 1 MiB, whatever is in it: 16 MiB. */
export const rowBytesMax = 16 * 1_048_576;
