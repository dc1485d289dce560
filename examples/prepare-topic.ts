/** Creates an example's topics, however often it has run before. */

import { ClientError, type MillraceClient, NotFoundError, type TopicSettings } from "millrace";

/** Creates a topic; an existing one is used with its records. */
export async function prepareTopic(millrace: MillraceClient, topic: string, settings?: TopicSettings): Promise<void> {
  try {
    await millrace.topics.create(topic, settings);
  } catch (error) {
    if (!(error instanceof ClientError && error.code === "ALREADY_EXISTS")) throw error;
  }
}

/** Creates an empty topic; an existing one of this name is deleted first, with its records. */
export async function prepareEmptyTopic(
  millrace: MillraceClient,
  topic: string,
  settings?: TopicSettings,
): Promise<void> {
  try {
    await millrace.topics.delete(topic);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  await millrace.topics.create(topic, settings);
}
