import { open } from "node:fs/promises";
import { join } from "node:path";
import { JournalReader } from "../../core/logs/journal-reader.ts";
import { journalName } from "../../core/logs/spool-files.ts";
import { journalNumbers } from "./journal-file.ts";
import { ifMissing } from "./missing-file.ts";

/** A journal is gone once the next one is there: another look finds that. */
const MAX_LOOKS = 5;

/** The newest whole journal of a spool that another process writes, read on as it grows. */
export class JournalView {
  readonly #directory: string;
  #number = 0;
  #reader = new JournalReader();
  #readTo = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What was read of it; that of another journal after a writer has begun one. */
  get reader(): JournalReader {
    return this.#reader;
  }

  /** Resolves to whether there was anything new. Rejects with ENOENT where there is no whole journal. */
  async look(): Promise<boolean> {
    for (let looks = 1; looks <= MAX_LOOKS; looks += 1) {
      for (const number of await journalNumbers(this.#directory)) {
        const isSame = number === this.#number;
        const reader = isSame ? this.#reader : new JournalReader();
        const from = isSame ? this.#readTo : 0;
        const bytes = await readFrom(join(this.#directory, journalName(number)), from);
        reader.add(bytes?.toString() ?? "");
        // Whoever begins a later one has not come so far.
        if (bytes === undefined || reader.term === undefined) continue;
        this.#number = number;
        this.#reader = reader;
        this.#readTo = from + bytes.length;
        return bytes.length > 0;
      }
    }
    throw Object.assign(new Error(`${this.#directory}: there is no journal`), { code: "ENOENT" });
  }
}

/** What there is from this offset on. Undefined where there is no such file. */
async function readFrom(path: string, from: number): Promise<Buffer | undefined> {
  const file = await open(path, "r").catch(ifMissing(undefined));
  if (file === undefined) return undefined;
  try {
    // On a full disk a writer takes back what it could write only a part of.
    const length = Math.max(0, (await file.stat()).size - from);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
