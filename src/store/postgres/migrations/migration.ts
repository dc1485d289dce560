/** One version of the schema. It never changes once released: `checksum` freezes its text, and a test checks that. */
export interface Migration {
  /** Counts from 1, without gaps. */
  readonly number: number;
  readonly name: string;
  /** What `checksumOf` returns for it. */
  readonly checksum: string;
  /**
   * Plain text rather than builders: a released migration must not change with the version of a library. All statements
   * and the migration's row are committed together. That finishes the migration, unless it has steps.
   */
  readonly statements: readonly string[];
  readonly steps?: MigrationSteps;
}

/**
 * The rest of a migration that changes too many rows for one transaction. `statements` create
 * `millrace.migration_progress`, and `last` drops it: while that table exists, the migration is unfinished. The
 * progress is stored in the database alone, so any node can take the next step.
 */
export interface MigrationSteps {
  /**
   * One statement in its own transaction: advances the progress and returns one `MigrationStep`. Repeated while `more`.
   */
  readonly step: string;
  /** Runs in the transaction of the step that found nothing more to do. */
  readonly last: readonly string[];
}

/** The row that a step returns. */
export interface MigrationStep {
  /** Offsets of `total` done so far. */
  readonly done: number;
  readonly total: number;
  /** Whether another step may be needed. */
  readonly more: boolean;
}
