/** A symbol's price: the JSON body of a record whose key is the symbol. */

import type { ReceivedRecord, RecordInput } from "millrace";

export const symbols = ["ACME", "BOLT", "CRUX", "DUNE"] as const;

export interface Quote {
  readonly number: number;
  readonly price: number;
}

/** Quotes by symbol. */
export type Quotes = Readonly<Record<string, Quote>>;

/** Symbols in turn, numbered from 1 on. */
export function quoteNumber(number: number): RecordInput {
  const symbol = symbols[(number - 1) % symbols.length] ?? "ACME";
  return { key: symbol, json: { number, price: 100 + 10 * Math.sin(number / 50) } };
}

export function quoteOf({ json }: ReceivedRecord): Quote {
  return { number: Number(json?.["number"]), price: Number(json?.["price"]) };
}
