/** An event for a viewer: a record's JSON body, with its offset as the id for a reconnect. */

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
