import type { LiveStreamWaiting } from "../core/index.js";
import {
  InspectServiceService,
  type LiveStream as LiveStreamMessage,
  LiveStream_Waiting,
} from "../gen/millrace/v1/inspect_service.js";
import { dateOfTimestamp, decodeLiveStreamWaiting, type JsonObject, timestampText } from "../wire/index.js";
import type { Connection, UnaryOptions } from "./connection.js";

/** One live call of a node. */
export interface LiveStream {
  readonly id: number;
  /** The client's ADDRESS:PORT. */
  readonly peer: string;
  /** /package.Service/Method */
  readonly method: string;
  readonly topic: string;
  readonly nextOffset: number | undefined;
  /** How many records it has not received yet. */
  readonly lag: number | undefined;
  readonly bytesSent: number;
  readonly messagesSent: number;
  readonly waiting: LiveStreamWaiting;
  readonly waitingSince: Date | undefined;
  readonly startTime: Date | undefined;
  /** In proto3 JSON. */
  toJSON(): JsonObject;
}

/** Which streams to list. */
export interface LiveStreamsOptions extends UnaryOptions {
  /** Only streams of this topic. */
  readonly topic?: string | undefined;
  readonly pageSize?: number | undefined;
}

/** All live streams of the node, oldest first. Pages are requested during the iteration. */
export async function* listLiveStreams(
  connection: Connection,
  { topic = "", pageSize = 0, ...options }: LiveStreamsOptions,
): AsyncGenerator<LiveStream, void> {
  let pageToken = "";
  do {
    const page = await connection.unary(InspectServiceService.listStreams, { topic, pageSize, pageToken }, options);
    yield* page.streams.map(liveStreamOf);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function liveStreamOf(message: LiveStreamMessage): LiveStream {
  const { waitingSince, startTime, nextOffset, lag, ...rest } = message;
  return {
    ...rest,
    nextOffset,
    lag,
    waiting: decodeLiveStreamWaiting(message.waiting),
    waitingSince: waitingSince && dateOfTimestamp(waitingSince),
    startTime: startTime && dateOfTimestamp(startTime),
    toJSON: () => liveStreamJson(message),
  };
}

function liveStreamJson(message: LiveStreamMessage): JsonObject {
  const { nextOffset, lag, waiting, waitingSince, startTime } = message;
  return {
    id: String(message.id),
    peer: message.peer,
    method: message.method,
    ...(message.topic === "" ? {} : { topic: message.topic }),
    ...(nextOffset === undefined ? {} : { nextOffset: String(nextOffset) }),
    ...(lag === undefined ? {} : { lag: String(lag) }),
    bytesSent: String(message.bytesSent),
    messagesSent: String(message.messagesSent),
    ...(decodeLiveStreamWaiting(waiting) === "nothing" ? {} : { waiting: LiveStream_Waiting[waiting] }),
    ...(waitingSince === undefined ? {} : { waitingSince: timestampText(waitingSince) }),
    ...(startTime === undefined ? {} : { startTime: timestampText(startTime) }),
  };
}
