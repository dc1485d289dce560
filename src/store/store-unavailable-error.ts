export interface StoreFailure {
  /** True when the statement was sent and its answer is missing: it may have been committed. */
  readonly outcomeUnknown: boolean;
  readonly cause?: unknown;
  /** The reason, a sentence for callers: it names nothing of the database's own. */
  readonly why?: string | undefined;
}

/** The database did not execute a statement, or did not confirm it. */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
  readonly outcomeUnknown: boolean;
  readonly why: string;

  constructor(message: string, { outcomeUnknown, cause, why = "The database is away" }: StoreFailure) {
    super(message, { cause });
    this.outcomeUnknown = outcomeUnknown;
    this.why = why;
  }
}
