/** What a round of consuming asks for. The same for everybody. */
export interface ConsumeRound {
  /** How many records the topic has; it also says which topic. */
  readonly records: number;
  /** Records that each consumer may have that it did not acknowledge. */
  readonly window: number;
  readonly consumers: number;
  /** Whether every tenth record is rejected once, to be delivered again at once. */
  readonly rejects: boolean;
}

const rejectedEvery = 10;

/** Looks at each record that any consumer gets: all must come, whole, and no more often than they should. */
export class ConsumeCheck {
  readonly #deliveries: Uint8Array;
  readonly #round: ConsumeRound;
  readonly #bodyBytes: number;
  #left: number;

  constructor(round: ConsumeRound, bodyBytes: number) {
    this.#round = round;
    this.#bodyBytes = bodyBytes;
    this.#deliveries = new Uint8Array(round.records);
    this.#left = round.records + (round.rejects ? Math.ceil(round.records / rejectedEvery) : 0);
  }

  /** Whether everything came, also what was rejected. */
  get isComplete(): boolean {
    return this.#left === 0;
  }

  /** Takes the record of this place, counted from 0, and says whether to acknowledge it; else it is to be rejected. */
  accepts(index: number, body: Uint8Array | undefined): boolean {
    if (body?.length !== this.#bodyBytes) throw new Error(`Record ${index} has ${body?.length} bytes`);
    const isRejected = this.#round.rejects && index % rejectedEvery === 0;
    const deliveries = (this.#deliveries[index] ?? Number.NaN) + 1;
    if (!(deliveries <= (isRejected ? 2 : 1))) throw new Error(`Record ${index} came ${deliveries} times`);
    this.#deliveries[index] = deliveries;
    this.#left -= 1;
    return !isRejected || deliveries === 2;
  }

  /** Throws unless everything came. */
  finish(): number {
    if (!this.isComplete) throw new Error(`${this.#left} of ${this.#round.records} records did not come`);
    return this.#round.records;
  }
}
