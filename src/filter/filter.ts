/**
 * A filter: a CEL expression over the fields of a record, parsed and checked once, then matched against frames. Its needs
 * (`needs.ts`) are checked first: the page query asks for them too, and often nothing else is left to evaluate.
 */

import { type ASTNode, type ParseResult } from "@marcbachmann/cel-js";
import { invalidArgument } from "../core/index.js";
import { StoredRecord } from "../wire/index.js";
import { checkValues, withHint } from "./check-values.js";
import { type CheckedExpression, checkExpression } from "./check-expression.js";
import type { CostGrowth } from "./cost-growth.js";
import { language, languageWithPatterns, operandsOf, patternFunction } from "./language.js";
import { filterBounds } from "./limits.js";
import { type Conjunct, type FilterNeeds, needsOf } from "./needs.js";
import { countValues, hasNeeds, type NeededAttribute, type RecordValues, valuesOf } from "./record-values.js";
import { callOf, filterFault, startOf } from "./syntax.js";

/** A checked CEL expression. */
export interface Filter {
  readonly text: string;
  /** Upper bound of the steps of one evaluation; see `filterBounds`. */
  readonly cost: number;
  /** What every matching record has. */
  readonly needs: FilterNeeds;
  /** The conditions that the filter joins with `&&`. */
  readonly conjuncts: readonly Conjunct[];
  /**
   * Whether the record in the frame from `start` to `end` matches. Never throws: a record for which the expression has no
   * value (a missing attribute, a number compared with a text) does not match.
   */
  matches(bytes: Buffer, start: number, end: number): boolean;
}

/** Shared by all filters: with one each, a waiting reader would keep its last page in memory. */
const record = new StoredRecord();

/** Throws `invalid-argument` on the field `filter`, with line and column. */
export function parseFilter(text: string): Filter {
  const bytes = Buffer.byteLength(text);
  if (bytes > filterBounds.textBytes) {
    throw invalidArgument("filter", `must be at most ${filterBounds.textBytes} bytes, got ${bytes}`);
  }
  const parsed = parse(text);
  const checked = checkExpression(text, parsed.ast);
  checkValues(text, parsed.ast);
  const { needs, conjuncts } = needsOf(parsed.ast);
  const isDecided = conjuncts.every(({ need }) => need !== undefined);
  const attributes: readonly NeededAttribute[] = needs.attributes.map(({ name, value }) => ({
    name: Buffer.from(name),
    value: value === undefined ? undefined : Buffer.from(value),
  }));
  const evaluate = isDecided ? undefined : evaluatorOf(text, parsed, checked);
  return {
    text,
    cost: checked.cost,
    needs,
    conjuncts,
    matches(frames, start, end) {
      record.walk(frames, start, end);
      for (const { name, value } of attributes) if (!record.hasAttribute(name, value)) return false;
      return hasNeeds(record, needs) && (evaluate === undefined || evaluate(record));
    },
  };
}

/** Parses the text, and checks names and types. */
function parse(text: string): ParseResult {
  let parsed: ParseResult;
  try {
    parsed = language.parse(text);
  } catch (error) {
    throw faultOf(text, error);
  }
  const { valid, type, error } = parsed.check();
  if (!valid) throw faultOf(text, error);
  if (type !== "bool" && type !== "dyn") {
    throw filterFault(text, 0, `must be true or false, but has type ${type}`);
  }
  return parsed;
}

function faultOf(text: string, error: unknown): Error {
  const { summary, message, range } = error as {
    readonly summary?: string;
    readonly message?: string;
    readonly range?: { readonly start: number };
  };
  return filterFault(text, range?.start ?? 0, withHint(summary ?? message ?? String(error)));
}

/** Whether an evaluation could take more steps than one record may. */
function isTooCostly(growth: CostGrowth, { json }: RecordValues, size: number): boolean {
  const { steps, bytesPerStep } = filterBounds;
  const stepsWith = (values: number) =>
    growth.byValue * values +
    growth.byValueSquared * values * values +
    (growth.bySize + growth.byValueAndSize * values) * (size / bytesPerStep);
  // A small record cannot hold enough values, so they are not counted.
  if (stepsWith(size / valueBytesMin) <= steps) return false;
  return stepsWith(countValues(json, size / valueBytesMin)) > steps;
}

/** The smallest value of a Struct: two tags, a length, and a byte. */
const valueBytesMin = 4;

type Evaluator = (record: StoredRecord) => boolean;

function evaluatorOf(text: string, parsed: ParseResult, checked: CheckedExpression): Evaluator {
  const run = checked.patterns.size === 0 ? parsed : withPatterns(text, parsed.ast, checked);
  return (record) => {
    const values = valuesOf(record, checked.variables);
    if (isTooCostly(checked.growth, values, record.size)) return false;
    const { stackTraceLimit } = Error;
    // Many records have no value. Nobody reads the traces of their errors, which take ten times as long as the evaluation.
    Error.stackTraceLimit = 0;
    try {
      return run(values) === true;
    } catch {
      // It has no value for this record.
      return false;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
}

/** The same expression with `matches` run by RE2, whose time is linear in the text. */
function withPatterns(text: string, root: ASTNode, { patterns }: CheckedExpression): ParseResult {
  const runnable = languageWithPatterns((subject, pattern) => {
    const compiled = patterns.get(pattern);
    if (compiled === undefined || subject.length > compiled.textLength) {
      throw new RangeError("The text is too long to be matched");
    }
    return compiled.regex.test(subject);
  }).parse(renamePatterns(text, patternCalls(root)));
  const { valid, error } = runnable.check();
  if (!valid) throw faultOf(text, error);
  const [missed] = patternCalls(runnable.ast);
  if (missed !== undefined) throw filterFault(text, 0, "there must be no comment between matches and its pattern");
  return runnable;
}

/** The patterns of all calls of `matches`. */
function patternCalls(node: ASTNode): readonly ASTNode[] {
  const call = callOf(node);
  const pattern = call?.name === "matches" ? call.operands.at(-1) : undefined;
  return [...(pattern === undefined ? [] : [pattern]), ...operandsOf(node).flatMap(patternCalls)];
}

/** Renames `matches` to `patternFunction`, from the last call to the first, so that earlier positions stay valid. */
function renamePatterns(text: string, patterns: readonly ASTNode[]): string {
  let renamed = text;
  for (const pattern of patterns.toSorted((one, other) => startOf(other) - startOf(one))) {
    const at = renamed.lastIndexOf("matches", startOf(pattern));
    renamed = renamed.slice(0, at) + patternFunction + renamed.slice(at + "matches".length);
  }
  return renamed;
}
