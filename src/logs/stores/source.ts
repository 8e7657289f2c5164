/** What is stored failed, not the store. */
class SourceFailure extends Error {}

/** The stream of a `put`, whose failure is told from the store's. */
export async function* readSource(open: () => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* open();
  } catch (error) {
    throw new SourceFailure("the stream that is stored has failed", { cause: error });
  }
}

/** Of work that reads by `readSource`: rejects with what the stream has thrown. */
export async function withSource<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof SourceFailure ? error.cause : error;
  }
}

export async function* textSource(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
