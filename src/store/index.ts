export { StoreUnavailableError } from "./store.js";
export type {
  AppendOutcome,
  AppendWrite,
  Head,
  LockedView,
  NewTopic,
  PageRead,
  PageRequest,
  Store,
  StoredLimits,
  StoredTopic,
  TopicChange,
  TopicListRequest,
} from "./store.js";
