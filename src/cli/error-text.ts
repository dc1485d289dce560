import { ClientError } from "../client/index.js";

/** A failed call as text: a line with its reason, one per wrong field, and one with a hint. */
export function errorText(error: unknown, address: string): string {
  if (!(error instanceof ClientError)) return error instanceof Error ? error.message : String(error);
  const lines = [`${error.code}: ${error.message}`];
  for (const { field, description } of error.violations) {
    const line = `  ${field}: ${description}`;
    // The message often contains a single violation.
    if (!error.message.includes(line.trim())) lines.push(line);
  }
  const hint = hintOf(error, address);
  if (hint !== undefined) lines.push(`  ${hint}`);
  return lines.join("\n");
}

function hintOf({ code, reason, metadata }: ClientError, address: string): string | undefined {
  if (reason === "OFFSET_OUT_OF_RANGE") {
    return `It holds offsets ${metadata.get("earliest_offset")} to ${metadata.get("next_offset")} (exclusive); read from one of them, or with --when-trimmed skip`;
  }
  if (reason === "TOPIC_NOT_FOUND") return "millrace topic list shows the topics that exist";
  if (reason === "SUBSCRIPTION_NOT_FOUND") return "millrace subscription list shows the subscriptions that exist";
  if (code === "UNAVAILABLE" && reason === "") {
    return `Is a server running on ${address}? Start one with "millrace serve", or name another with --address`;
  }
  return undefined;
}
