/**
 * The bytes that a statement looks for: a matching frame contains all of them. Every frame contains an empty needle.
 */
export interface Needles {
  readonly firstNeedle: Uint8Array;
  readonly secondNeedle: Uint8Array;
  readonly thirdNeedle: Uint8Array;
}

const nothing = Buffer.alloc(0);

/** Binds the first three needles; missing ones are empty. */
export function bindNeedles(needles: readonly Uint8Array[]): Needles {
  const [firstNeedle = nothing, secondNeedle = nothing, thirdNeedle = nothing] = needles;
  return { firstNeedle, secondNeedle, thirdNeedle };
}
