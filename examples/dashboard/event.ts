/** What a viewer sees: the JSON body of a record, and its offset as the id to come back with. */

import type { JsonObject, ReceivedRecord } from "millrace";

export const eventTypes = ["message", "notification", "update"] as const;

export interface DashboardEvent {
  readonly type: (typeof eventTypes)[number];
  readonly offset: number;
  readonly json: JsonObject;
}

export function eventOf(record: ReceivedRecord): DashboardEvent {
  const json = record.json ?? {};
  const type = eventTypes.find((each) => each === json["type"]) ?? "update";
  return { type, offset: record.offset, json };
}
