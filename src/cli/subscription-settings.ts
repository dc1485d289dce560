import type { Command } from "commander";
import { durationOption } from "./amount-options.js";
import { wholeNumberOption } from "./command-context.js";
import { labelOption } from "./label-option.js";

/** The settings of a subscription on the command line. */
export interface SubscriptionSettingOptions {
  readonly ackDeadline?: number;
  readonly attempts?: number;
  readonly retryMin?: number;
  readonly retryMax?: number;
  readonly retryBacklog?: number;
  readonly label?: ReadonlyMap<string, string>;
}

/** Adds the options of the commands that create and update. */
export function withSubscriptionSettings(command: Command): Command {
  return command
    .option(
      "--ack-deadline <duration>",
      "how long a consumer has for a record unless it extends the deadline, from 1s to 12h (default: 30s)",
      durationOption("--ack-deadline"),
    )
    .option(
      "--attempts <n>",
      "how often a record may fail before it is parked, from 1 to 1000 (default: 5)",
      wholeNumberOption("--attempts", 1),
    )
    .option(
      "--retry-min <duration>",
      "the wait before the first redelivery of a failed record; doubles each time (default: 1s)",
      durationOption("--retry-min"),
    )
    .option(
      "--retry-max <duration>",
      "the longest wait before a redelivery (default: 60s)",
      durationOption("--retry-max"),
    )
    .option(
      "--retry-backlog <n>",
      "how many records may wait for redelivery; while full, no new ones are delivered (default: 10000)",
      wholeNumberOption("--retry-backlog", 1),
    )
    .addOption(labelOption("subscription"));
}

/** The settings that the options give, as the client takes them. */
export function subscriptionSettings(options: SubscriptionSettingOptions) {
  const { ackDeadline, attempts, retryMin, retryMax, retryBacklog, label } = options;
  return {
    ackDeadlineMs: ackDeadline,
    attemptsMax: attempts,
    retryMinMs: retryMin,
    retryMaxMs: retryMax,
    retryBacklog,
    labels: label,
  };
}
