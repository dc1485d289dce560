/** One version of the schema. Once released it never changes: `checksum` freezes its text, and a test holds it to that. */
export interface Migration {
  /** Counts from 1, without gaps. */
  readonly number: number;
  readonly name: string;
  /** What `checksumOf` returns for it. */
  readonly checksum: string;
  /**
   * Plain text rather than builders: what was released must not change with the version of a library. They are committed
   * together, with the migration's row; and with them the migration is finished, unless it has steps.
   */
  readonly statements: readonly string[];
  readonly steps?: MigrationSteps;
}

/**
 * The rest of a migration whose rows are too many for one transaction. `statements` create `millrace.migration_progress`,
 * and `last` drops it: the migration is unfinished while that table is there. How far it is stands in the database alone, so
 * any node can take the next step.
 */
export interface MigrationSteps {
  /** One statement, and one transaction. Moves the progress on, and returns one `MigrationStep`. Repeated while there is more. */
  readonly step: string;
  /** Run in the transaction of the step that found no more. */
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
