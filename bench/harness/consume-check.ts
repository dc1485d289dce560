/** A round of consuming, the same for all subjects. */
export interface ConsumeRound {
  /** The number of records in the topic, which also names the topic. */
  readonly records: number;
  /** How many unacknowledged records each consumer may have. */
  readonly window: number;
  readonly consumers: number;
  /** Whether every tenth record is rejected once, for immediate redelivery. */
  readonly rejects: boolean;
}

const rejectedEvery = 10;

/** Checks each delivered record: all must arrive, complete, and not more often than expected. */
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

  /** Whether all records arrived, including redeliveries of rejected ones. */
  get isComplete(): boolean {
    return this.#left === 0;
  }

  /** Takes the record with this index, counted from 0. Returns whether to acknowledge it; otherwise reject it. */
  accepts(index: number, body: Uint8Array | undefined): boolean {
    if (body?.length !== this.#bodyBytes) throw new Error(`Record ${index} has ${body?.length} bytes`);
    const isRejected = this.#round.rejects && index % rejectedEvery === 0;
    const deliveries = (this.#deliveries[index] ?? Number.NaN) + 1;
    if (!(deliveries <= (isRejected ? 2 : 1))) throw new Error(`Record ${index} came ${deliveries} times`);
    this.#deliveries[index] = deliveries;
    this.#left -= 1;
    return !isRejected || deliveries === 2;
  }

  /** Throws unless everything arrived. */
  finish(): number {
    if (!this.isComplete) throw new Error(`${this.#left} of ${this.#round.records} records did not come`);
    return this.#round.records;
  }
}
