import { from, type Source } from "../../../src/streams/sources/from.js";
import { Stage } from "../../../src/streams/stage.js";
import { END, type End, type Stream } from "../../../src/streams/stream.js";
import type { ContractRow } from "./contract-row.js";

/** Returns the items of its source, but has faults. */
class Careless extends Stage<number> {
  protected readonly source: Stream<number>;

  constructor(source: Source<number>) {
    super();
    this.source = from(source);
  }

  protected override async produce(): Promise<number | End> {
    return this.source.pull();
  }

  protected override dispose(): Promise<void> | undefined {
    return this.source.close();
  }
}

class NeverCloses extends Careless {
  protected override dispose(): undefined {
    return undefined;
  }
}

class ReadsAhead extends Careless {
  readonly #read: (number | End)[] = [];

  protected override async produce(): Promise<number | End> {
    while (this.#read.length < 3 && this.#read.at(-1) !== END) this.#read.push(await this.source.pull());
    return this.#read.shift() ?? END;
  }
}

class SwallowsErrors extends Careless {
  protected override produce(): Promise<number | End> {
    return super.produce().catch((): End => END);
  }
}

class ErrorsFirst extends Careless {
  #last: number | undefined;

  /** Delays an item, and loses it when the source fails. */
  protected override async produce(): Promise<number | End> {
    const last = this.#last ?? (await this.source.pull());
    if (last === END) return END;
    const next = await this.source.pull();
    this.#last = next === END ? undefined : next;
    return last;
  }
}

class Loses extends Careless {
  protected override async produce(): Promise<number | End> {
    const item = await this.source.pull();
    return item === 7 ? this.source.pull() : item;
  }
}

/** Returns an iterator's results unchanged, and keeps no other rule of a stream. */
function unordered(source: Source<number>): Stream<unknown> {
  const stream = from(source);
  let calls = 0;
  const next = async () => {
    calls += 1;
    const isFirst = calls === 1;
    const result = await stream.next();
    if (isFirst) await new Promise((resolve) => setImmediate(resolve));
    return result.done === true ? result : { done: false, value: calls };
  };
  return { next, return: () => stream.return() } as unknown as Stream<unknown>;
}

const rowOf = (open: (source: Source<number>) => Stream<unknown>): ContractRow => ({
  name: "faulty",
  open,
  model: ([items = []]) => items,
  aheadMax: 0,
});

/** Operators with one fault each, and the check that must find it: without them, the checks would be untested. */
export const faults: readonly { readonly name: string; readonly breaks: string; readonly row: ContractRow }[] = [
  {
    name: "never closes its source",
    breaks: "closes its sources once when a loop breaks off",
    row: rowOf((source) => new NeverCloses(source)),
  },
  {
    name: "reads ahead",
    breaks: "pulls at most aheadMax items ahead of those that it returned",
    row: rowOf((source) => new ReadsAhead(source)),
  },
  {
    name: "swallows errors",
    breaks: "throws its source's error once, after the items before it, and then always ends",
    row: rowOf((source) => new SwallowsErrors(source)),
  },
  {
    name: "loses the item before an error",
    breaks: "throws its source's error once, after the items before it, and then always ends",
    row: rowOf((source) => new ErrorsFirst(source)),
  },
  {
    name: "loses an item",
    breaks: "returns the items of its model, and then always the end",
    row: rowOf((source) => new Loses(source)),
  },
  {
    name: "mixes up overlapping calls",
    breaks: "serves overlapping calls of next() in order",
    row: rowOf(unordered),
  },
];
