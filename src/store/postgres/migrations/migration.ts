/** One version of the schema. Once released it never changes: `checksum` freezes its text, and a test holds it to that. */
export interface Migration {
  /** Counts from 1, without gaps. */
  readonly number: number;
  readonly name: string;
  /** `checksumOf` it. */
  readonly checksum: string;
  /**
   * Plain text rather than builders: what was released must not change with the version of a library. They are committed
   * together, with the migration's row; and with them the migration is finished, unless it has steps.
   */
  readonly statements: readonly string[];
  readonly steps?: MigrationSteps;
}

/**
 * The rest of a migration that has too many rows for one transaction. `statements` creates `millrace.migration_progress`,
 * and `last` drops it: a migration is unfinished while that table is there. All that is known of a step is in the
 * database, so any node can run the next one.
 */
export interface MigrationSteps {
  /**
   * One statement, one transaction. It moves the progress on and returns a `MigrationStep`. It runs until there is
   * no more.
   */
  readonly step: string;
  /** Committed together with the step that found no more. */
  readonly last: readonly string[];
}

/** The row that a step returns. */
export interface MigrationStep {
  /** Of `total`, so far. */
  readonly done: number;
  readonly total: number;
  /** Whether there may be another step. */
  readonly more: boolean;
}
