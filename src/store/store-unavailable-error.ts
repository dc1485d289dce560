export interface StoreFailure {
  /** True when the statement was sent and its answer is missing: it may have been committed. */
  readonly outcomeUnknown: boolean;
  readonly cause?: unknown;
  /** Why, in a sentence for callers, which names nothing of the database's own. */
  readonly why?: string | undefined;
}

/** The database did not do it, or did not say that it did. */
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
