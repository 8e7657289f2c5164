import { access, type FileHandle, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { JournalReader } from "../../core/logs/journal-reader.ts";
import { journalName, parseJournalName } from "../../core/logs/spool-files.ts";
import { renderJournal, type SpoolState } from "../../core/logs/spool-journal.ts";
import { ifMissing } from "./missing-file.ts";
import { SpoolTakenError } from "./spool-taken-error.ts";

const LONG_BYTES = 2 ** 20;

/** What a spool's directory holds of journals. */
interface KnownJournal {
  readonly reader: JournalReader;
  readonly term: number;
  /** Of all journals that are there, whole or not. */
  readonly numbers: readonly number[];
}

/**
 * The journal of a spool that this process writes. A file of its own, with a number: who makes the file with the next number has taken over,
 * and of two who try only one succeeds. Who wrote before finds that out with the next write, and whatever it writes until then is in files
 * that nobody reads any more.
 */
export class JournalFile {
  readonly #directory: string;
  readonly #term: number;
  #number: number;
  #file: FileHandle;
  #bytes: number;
  /** When it was begun. */
  #firstBytes: number;

  private constructor(directory: string, term: number, number: number, file: FileHandle, bytes: number) {
    this.#directory = directory;
    this.#term = term;
    this.#number = number;
    this.#file = file;
    this.#bytes = bytes;
    this.#firstBytes = bytes;
  }

  /** What the newest whole journal says, of `size` bytes. */
  static async read(directory: string, size: number): Promise<{ state: SpoolState; known: KnownJournal }> {
    const known = await findJournal(directory);
    return { state: known.reader.state(size), known };
  }

  /** Takes over from whoever wrote before; rejects with a SpoolTakenError if another one does that now, or has done it with a later term. */
  static async claim(
    directory: string,
    { state, known, term }: { state: SpoolState; known: KnownJournal; term: number },
  ): Promise<JournalFile> {
    if (known.term > term) throw new SpoolTakenError(directory);
    const number = Math.max(0, ...known.numbers) + 1;
    const { file, bytes } = await begin(directory, number, renderJournal(state, term));
    for (const former of known.numbers) await rm(join(directory, journalName(former)), { force: true });
    return new JournalFile(directory, term, number, file, bytes);
  }

  /** Greater than that of all who wrote before. */
  get number(): number {
    return this.#number;
  }

  /** There is much in it that says nothing any more. */
  get isLong(): boolean {
    return this.#bytes > Math.max(LONG_BYTES, 2 * this.#firstBytes);
  }

  /** Rejects with a SpoolTakenError once another process has taken over, or has removed the spool. */
  async check(): Promise<void> {
    const [isOwn, isNext] = await Promise.all(
      [this.#number, this.#number + 1].map((number) => isThere(join(this.#directory, journalName(number)))),
    );
    if (!isOwn || isNext) throw new SpoolTakenError(this.#directory);
  }

  /** If this rejects, nothing of `text` counts. */
  async append(text: string): Promise<void> {
    // A disk that was full may have taken a part.
    await this.#file.truncate(this.#bytes);
    await this.#file.appendFile(text);
    this.#bytes += Buffer.byteLength(text);
  }

  /** The same in fewer words, in the file with the next number. */
  async rewrite(state: SpoolState): Promise<void> {
    const number = this.#number + 1;
    const { file, bytes } = await begin(this.#directory, number, renderJournal(state, this.#term));
    await this.#file.close();
    await rm(join(this.#directory, journalName(this.#number)), { force: true });
    this.#number = number;
    this.#file = file;
    this.#bytes = bytes;
    this.#firstBytes = bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function begin(directory: string, number: number, text: string): Promise<{ file: FileHandle; bytes: number }> {
  const path = join(directory, journalName(number));
  const file = await open(path, "ax").catch((error) => {
    throw (error as NodeJS.ErrnoException).code === "EEXIST" ? new SpoolTakenError(directory) : error;
  });
  try {
    await file.appendFile(text);
    return { file, bytes: Buffer.byteLength(text) };
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    throw error;
  }
}

async function findJournal(directory: string): Promise<KnownJournal> {
  const numbers = await journalNumbers(directory);
  for (const number of numbers) {
    const text = await readFile(join(directory, journalName(number)), "utf8").catch(ifMissing(""));
    const reader = new JournalReader();
    reader.add(text);
    if (reader.term !== undefined) return { reader, term: reader.term, numbers };
  }
  return { reader: new JournalReader(), term: 0, numbers };
}

/** Of all that are there, whole or not, the newest first. */
export async function journalNumbers(directory: string): Promise<number[]> {
  const numbers = (await readdir(directory)).map(parseJournalName).filter((number) => number !== undefined);
  return numbers.sort((a, b) => b - a);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(() => true, ifMissing(false));
}
