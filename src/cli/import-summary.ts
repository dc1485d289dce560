/** The progress of an import. */
export interface ImportTally {
  /** Bytes of the file; for a table, its rows. */
  bytesRead: number;
  records: number;
  /** Bad rows that were left out. */
  skipped: number;
  /** Records of earlier runs. Not known for a table. */
  recordsBefore?: number;
  /** For a table: the last row of earlier runs. */
  after?: readonly string[] | undefined;
  firstOffset?: number | undefined;
  nextOffset?: number | undefined;
}

export function importSummary(tally: ImportTally, seconds: number, isJson: boolean): string {
  const { records, skipped, recordsBefore, after, firstOffset, nextOffset } = tally;
  const rate = Math.round(records / seconds);
  if (isJson) {
    return JSON.stringify({
      records,
      ...(recordsBefore === undefined ? {} : { recordsBefore }),
      ...(after === undefined ? {} : { after }),
      ...(skipped === 0 ? {} : { skipped }),
      ...(firstOffset === undefined ? {} : { firstOffset: String(firstOffset), nextOffset: String(nextOffset) }),
      seconds: Number(seconds.toFixed(3)),
      recordsPerSecond: rate,
    });
  }
  const parts = [`Imported ${records} records in ${seconds.toFixed(1)} s (${rate} per second)`];
  if (firstOffset !== undefined) parts.push(`, from offset ${firstOffset} to below ${nextOffset}`);
  if (recordsBefore !== undefined && recordsBefore > 0) parts.push(`; ${recordsBefore} were imported before`);
  if (after !== undefined) parts.push(`; those up to ${after.join(", ")} were imported before`);
  if (skipped > 0) parts.push(`; ${skipped} bad rows were left out`);
  return parts.join("");
}
