import type { Migration } from "./migration.js";

/** The attempts before the last seek. Records delivered after it have higher attempts. */
export const addAttempts: Migration = {
  number: 7,
  name: "add-attempts",
  checksum: "6b0776e99e3c3e52bad76fd9212bdf17524747f7b3badb2a5231d0ce828e940b",
  statements: [`alter table millrace.subscriptions add column attempts_before int not null default 0`],
};
