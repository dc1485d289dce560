import { invalidArgument } from "./errors.js";

/** A leading letter or digit, then up to 199 of `a-z 0-9 . _ / -`: safe in a path, a shell and a file name. */
const pattern = /^[a-z0-9][a-z0-9._/-]{0,199}$/;

/** Refuses an invalid name. `field` is its path in the request. */
export function checkTopicName(name: string, field = "topic"): string {
  return checkName(name, field, "topic");
}

/** The rule for subscriptions is the same. */
export function checkSubscriptionName(name: string, field = "subscription"): string {
  return checkName(name, field, "subscription");
}

function checkName(name: string, field: string, what: string): string {
  if (name === "") throw invalidArgument(field, `a ${what} is required`);
  if (!pattern.test(name)) {
    throw invalidArgument(
      field,
      `must match [a-z0-9][a-z0-9._/-]{0,199}, got ${JSON.stringify(name.slice(0, 40))}${name.length > 40 ? "…" : ""}`,
    );
  }
  return name;
}

/** What a name can begin with. Empty: any name. */
const prefixPattern = /^([a-z0-9][a-z0-9._/-]{0,199})?$/;

/** Refuses a prefix that no name can have. Postgres cannot even take some of these as a parameter (U+0000). */
export function checkTopicPrefix(prefix: string, field: string): string {
  return checkPrefix(prefix, field, "topic");
}

export function checkSubscriptionPrefix(prefix: string, field: string): string {
  return checkPrefix(prefix, field, "subscription");
}

function checkPrefix(prefix: string, field: string, what: string): string {
  if (prefixPattern.test(prefix)) return prefix;
  throw invalidArgument(field, `must be the beginning of a ${what}'s name: [a-z0-9][a-z0-9._/-]{0,199}, or empty`);
}
