/** Input that is invalid in its format, or that a record cannot hold. The message begins with the place. */
export class FileFormatError extends Error {
  override readonly name = "FileFormatError";
  /** `FILE:LINE`, or `FILE: feature 3`. */
  readonly where: string;
  readonly problem: string;

  constructor(where: string, problem: string, cause?: unknown) {
    super(`${where}: ${problem}`, cause === undefined ? undefined : { cause });
    this.where = where;
    this.problem = problem;
  }
}
