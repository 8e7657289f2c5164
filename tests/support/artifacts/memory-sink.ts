import type { ArtifactSink } from "../../../src/uploads/receive-artifacts.ts";

/** Keeps what is stored, by path; `beforePut` may fail or wait. */
export class MemorySink implements ArtifactSink {
  readonly files = new Map<string, Buffer>();
  beforePut: (path: string) => Promise<void> = async () => {};

  async put(path: string, open: () => AsyncIterable<Uint8Array>): Promise<number> {
    await this.beforePut(path);
    const chunks: Uint8Array[] = [];
    // What was yielded may be overwritten afterwards: a store has sent it by then.
    for await (const chunk of open()) chunks.push(Buffer.from(chunk));
    const stored = Buffer.concat(chunks);
    this.files.set(path, stored);
    return stored.length;
  }
}
