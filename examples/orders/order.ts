/** Incoming orders, and their totals. */

import type { JsonObject, RecordInput } from "millrace";

export interface Order {
  readonly customer: string;
  readonly amount: number;
}

/** A customer's total, and the last order in it. */
export interface Total {
  readonly customer: string;
  readonly total: number;
  readonly amount: number;
}

const customers = ["ada", "bob", "cleo", "dan", "eve", "finn", "gus"] as const;

/** Amounts from 1 on: their sum shows whether one is missing, or was added twice. */
export function orderNumber(number: number): Order {
  return { customer: customers[number % customers.length] ?? "ada", amount: number + 1 };
}

/** The key distributes a KEYED subscription, and identifies a record of the state. */
export function recordOf({ customer, ...facts }: Order | Total): RecordInput {
  return { key: customer, json: facts };
}

export function amountOf(json: JsonObject | undefined): number {
  return Number(json?.["amount"] ?? 0);
}

export function totalOf(json: JsonObject | undefined): number {
  return Number(json?.["total"] ?? 0);
}
