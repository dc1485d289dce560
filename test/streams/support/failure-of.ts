/** The reason with which a promise rejects. The rejection counts as handled from now on. */
export async function failureOf(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("It resolved");
}
