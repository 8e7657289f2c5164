/** Far beyond any list of TestTasks; an object of the API has at most 1.5 MiB. */
const MAX_BYTES = 16 * 1024 * 1024;

/** All of a file or of standard input. Rejects as that does, and where it is too large, with a clause that says so. */
export async function readStream(source: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk);
    byteCount += bytes.length;
    if (byteCount > MAX_BYTES) throw new Error(`is larger than ${MAX_BYTES / 1024 / 1024} MiB; divide it`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
