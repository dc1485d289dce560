/** Topics as an example needs them, however often it has run before. */

import { ClientError, type MillraceClient, NotFoundError, type TopicSettings } from "millrace";

/** Creates a topic, unless it is there already: then with what is in it. */
export async function prepareTopic(millrace: MillraceClient, topic: string, settings?: TopicSettings): Promise<void> {
  try {
    await millrace.topics.create(topic, settings);
  } catch (error) {
    if (!(error instanceof ClientError && error.code === "ALREADY_EXISTS")) throw error;
  }
}

/** Creates a topic without records: one of this name that is there already is deleted, with all that is in it. */
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
