/** The result of one round of reading or writing. */
export interface Sample {
  readonly records: number;
  readonly seconds: number;
}

export function rateOf({ records, seconds }: Sample): number {
  return records / seconds;
}

/** Measures the time of work that returns how many records it handled. */
export async function timed(work: () => Promise<number>): Promise<Sample> {
  const startMs = performance.now();
  const records = await work();
  return { records, seconds: (performance.now() - startMs) / 1000 };
}

/**
 * Checks each record as a reader of a replay does: its offset must follow the one before, its body must be complete.
 * This forces lazy decoding.
 */
export class ReplayCheck {
  count = 0;
  readonly #bodyBytes: number;
  #next: number;

  constructor(bodyBytes: number, first: number) {
    this.#bodyBytes = bodyBytes;
    this.#next = first;
  }

  see(offset: number, body: Uint8Array | undefined): void {
    if (offset !== this.#next) throw new Error(`Read ${offset} where ${this.#next} was next`);
    if (body?.length !== this.#bodyBytes) throw new Error(`Record ${offset} has ${body?.length} bytes`);
    this.#next += 1;
    this.count += 1;
  }
}

/** Incompressible bodies, the same for all subjects. */
export function bodies(bytes: number): readonly Uint8Array[] {
  let state = 0x9e3779b9;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  };
  return Array.from({ length: 64 }, () => Uint8Array.from({ length: bytes }, next));
}
