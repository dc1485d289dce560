export { createEngine } from "./create-engine.js";
export type { EngineParts } from "./create-engine.js";
export type {
  GetStateCommand,
  ListStateCommand,
  WatchMessage,
  WatchStateCommand,
  AppendCommand,
  Appended,
  Engine,
  FollowCommand,
  FollowMessage,
  PageMessage,
  PublishBatch,
  PublishOpening,
  ReadCommand,
  ReadMessage,
  SkippedMessage,
  TopicDescription,
  Topics,
} from "./engine.js";
