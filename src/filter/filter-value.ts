/** Values of expressions, and how they compare. */

import type { JsonObject, JsonValue, Place } from "../wire/index.js";
import { Instant } from "./instant.js";

/** Whole numbers and doubles are both numbers: which of them it is, its type says. */
export type FilterValue =
  | JsonValue
  | Instant
  | Place
  | ReadonlyMap<string, string>
  | readonly FilterValue[];

/** Undefined: there is no value, and so no match. */
export type Evaluated = FilterValue | undefined;

export function isList(value: Evaluated): value is readonly FilterValue[] {
  return Array.isArray(value);
}

/** An object of JSON. Of maps, times and places it is known by type that they are none. */
export function isObject(value: Evaluated): value is JsonObject {
  return typeof value === "object" && value !== null && !isList(value) && !(value instanceof Map);
}

/** Never throws, and takes nothing from a prototype. */
export function areEqual(left: FilterValue, right: FilterValue): boolean {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return left === right;
  if (left instanceof Instant || right instanceof Instant) {
    return (
      left instanceof Instant &&
      right instanceof Instant &&
      left.seconds === right.seconds &&
      left.nanos === right.nanos
    );
  }
  if (isList(left) || isList(right)) return isList(left) && isList(right) && areEqualLists(left, right);
  const names = namesOf(left);
  return (
    names.length === namesOf(right).length &&
    names.every((name) => {
      const ours = memberOf(left, name);
      const theirs = memberOf(right, name);
      return ours !== undefined && theirs !== undefined && areEqual(ours, theirs);
    })
  );
}

function areEqualLists(left: readonly FilterValue[], right: readonly FilterValue[]): boolean {
  return left.length === right.length && left.every((value, index) => areEqual(value, right[index] as FilterValue));
}

/** The names in an object or a map. */
export function namesOf(value: FilterValue): string[] {
  return value instanceof Map ? [...value.keys()] : isObject(value) ? Object.keys(value) : [];
}

/** What an object or a map has under a name of its own. */
export function memberOf(value: FilterValue, name: string): Evaluated {
  if (value instanceof Map) return value.get(name);
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** By code points, as UTF-8 sorts. JavaScript compares halves of surrogate pairs, which come before U+E000. */
export function orderTexts(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const ours = left.charCodeAt(index);
    const theirs = right.charCodeAt(index);
    if (ours !== theirs) return rank(ours) - rank(theirs);
  }
  return left.length - right.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x1_0000 : unit;
}

/** How many code points. */
export function sizeOfText(text: string): number {
  let size = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff) size--;
  }
  return size;
}

/** Roughly what a value takes to go through. */
export function weightOf(value: Evaluated): number {
  if (typeof value === "string") return value.length >> 4;
  return isList(value) ? value.length : 0;
}
