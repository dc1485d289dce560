/** Types of expressions. They are known before a record is looked at, except for what comes out of JSON. */

/** `json` is any JSON value, null too; `attributes` the map of attributes. */
export type Kind =
  | "bool"
  | "int"
  | "double"
  | "string"
  | "null"
  | "timestamp"
  | "duration"
  | "location"
  | "attributes"
  | "json"
  | "list";

export interface FilterType {
  readonly kind: Kind;
  /** It can be null instead: what a record need not have. */
  readonly isNullable: boolean;
  /** Of a list. */
  readonly element?: FilterType;
}

const plain = (kind: Kind, isNullable = false): FilterType => ({ kind, isNullable });

export const types = {
  bool: plain("bool"),
  int: plain("int"),
  double: plain("double"),
  string: plain("string"),
  null: plain("null"),
  timestamp: plain("timestamp"),
  duration: plain("duration"),
  attributes: plain("attributes"),
  json: plain("json"),
  stringOrNull: plain("string", true),
  timestampOrNull: plain("timestamp", true),
  locationOrNull: plain("location", true),
} as const;

export function listOf(element: FilterType): FilterType {
  return { kind: "list", isNullable: false, element };
}

export function elementOf({ element }: FilterType): FilterType {
  return element ?? types.json;
}

/** As an error names it. */
export function nameOf(type: FilterType): string {
  if (type.kind === "list") return `list(${nameOf(elementOf(type))})`;
  if (type.kind === "attributes") return "map(string, string)";
  if (type.kind === "json") return "JSON value";
  return type.kind;
}

export function isNumber({ kind }: FilterType): boolean {
  return kind === "int" || kind === "double";
}

/** Whether a JSON value can be equal to it: a number of either type can. */
export function isLikeJson(type: FilterType): boolean {
  if (type.kind === "list") return isLikeJson(elementOf(type));
  return isNumber(type) || ["json", "bool", "string", "null", "attributes"].includes(type.kind);
}

/** Whether == has a meaning between the two. */
export function areComparable(left: FilterType, right: FilterType): boolean {
  if (left.kind === "null") return right.kind === "null" || right.isNullable || right.kind === "json";
  if (right.kind === "null") return areComparable(right, left);
  if (left.kind === "json") return isLikeJson(right);
  if (right.kind === "json") return isLikeJson(left);
  if (isNumber(left) && isNumber(right)) return true;
  if (left.kind !== right.kind || left.kind === "location") return false;
  return left.kind !== "list" || areComparable(elementOf(left), elementOf(right));
}

/**
 * The type of what is either of the two. Undefined: they do not go together. A whole number does not go with JSON, whose
 * numbers are doubles: then nobody could tell by which rules it divides.
 */
export function either(left: FilterType, right: FilterType): FilterType | undefined {
  if (left.kind === "list" && right.kind === "list") {
    const element = either(elementOf(left), elementOf(right));
    if (element !== undefined) return listOf(element);
  }
  if (left.kind === right.kind && left.kind !== "list") {
    return left.isNullable || right.isNullable ? { kind: left.kind, isNullable: true } : left;
  }
  if (left.kind === "null" && right.isNullable) return right;
  if (right.kind === "null" && left.isNullable) return left;
  if (left.kind === "null" && ["timestamp", "location", "string"].includes(right.kind)) {
    return { ...right, isNullable: true };
  }
  if (right.kind === "null" && left.kind !== "null") return either(right, left);
  return canBeJson(left) && canBeJson(right) ? types.json : undefined;
}

function canBeJson(type: FilterType): boolean {
  if (type.kind === "list") return canBeJson(elementOf(type));
  return ["json", "bool", "double", "string", "null"].includes(type.kind);
}
