export { parseFilter } from "./filter.js";
export { needlesOf } from "./needs.js";
export type { Filter } from "./filter.js";
export type { Conjunct, FilterNeeds, NeedKind } from "./needs.js";
