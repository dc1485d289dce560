export { SchemaMismatchError } from "./migrations/migrate.js";
export { openPostgresStore } from "./open-postgres-store.js";
export type { PostgresStoreOptions, StoreConnection } from "./open-postgres-store.js";
