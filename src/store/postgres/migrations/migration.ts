/** One step of the schema. Once released it never changes: `checksum` freezes its text, and a test holds it to that. */
export interface Migration {
  /** Counts from 1, without gaps. */
  readonly number: number;
  readonly name: string;
  /** SHA-256 of `statements`, joined by a line break, as hex. */
  readonly checksum: string;
  /** Plain text rather than builders: what was released must not change with the version of a library. */
  readonly statements: readonly string[];
}
