import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { coerceError } from "../../runtime/errors.ts";
import { readTurn, writeTurn } from "../stores/disk-turns.ts";

/** Uid of a build's Job. */
const NAME = /^[0-9a-zA-Z-]{1,64}$/;

/** The directory of all spools: for each build one, named after its Job's uid, with a spool for each container. */
export class SpoolRoot {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  directoryOf(uid: string, container: string): string {
    return join(this.#directory, uid, container);
  }

  /** Containers of which there is something. */
  async containers(uid: string): Promise<string[]> {
    return (await readTurn(() => readdir(join(this.#directory, uid)).catch(noneIfMissing))).sort();
  }

  /** Uids of the Jobs of which there is something. */
  async list(): Promise<string[]> {
    return (await readTurn(() => readdir(this.#directory).catch(noneIfMissing))).filter((name) => NAME.test(name));
  }

  /** Whoever writes there finds out and writes no more. */
  async remove(uid: string): Promise<void> {
    await writeTurn(() => rm(join(this.#directory, uid), { recursive: true, force: true }));
  }
}

function noneIfMissing(error: unknown): string[] {
  if ((error as NodeJS.ErrnoException | null)?.code === "ENOENT") return [];
  throw coerceError(error);
}
