export { openPostgresStore } from "./open-postgres-store.js";
export type { PostgresStoreOptions, StoreConnection } from "./open-postgres-store.js";
