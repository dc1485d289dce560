/** The bytes that a statement looks for: frames hold all of them. An empty needle is in every frame, and found at once. */
export interface Needles {
  readonly firstNeedle: Uint8Array;
  readonly secondNeedle: Uint8Array;
  readonly thirdNeedle: Uint8Array;
}

const nothing = Buffer.alloc(0);

/** The first few of what is searched for, as a statement takes them. */
export function bindNeedles(needles: readonly Uint8Array[]): Needles {
  const [firstNeedle = nothing, secondNeedle = nothing, thirdNeedle = nothing] = needles;
  return { firstNeedle, secondNeedle, thirdNeedle };
}
