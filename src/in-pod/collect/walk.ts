import { constants } from "node:fs";
import { type FileHandle, lstat, open, opendir } from "node:fs/promises";
import type { ArtifactLimits } from "../../core/artifacts/artifact-limits.ts";
import { printableName } from "../../core/artifacts/artifact-names.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
/** Of Linux, on all processors that Node.js runs on; no right to read is needed. https://man7.org/linux/man-pages/man2/open.2.html */
const O_PATH = 0o10000000;

/** A directory whose files are kept, and which of them. */
export interface CollectedRoot {
  directory: string;
  matches(path: readonly string[]): boolean;
  mayHold(directory: readonly string[]): boolean;
}

export type Found = { name: string; file: FileHandle } | { name: string; why: string };

/**
 * The files of a tree that a hostile program has made and may still change. Each is opened below its directory's own handle and never through
 * a link: a path that is swapped for a link meanwhile leads nowhere else. Who takes a `file` closes it.
 */
export async function* walk({ directory, matches, mayHold }: CollectedRoot, limits: ArtifactLimits): AsyncGenerator<Found> {
  let root: FileHandle;
  try {
    root = await openRoot(directory);
  } catch (error) {
    yield { name: directory, why: whyNot(error) };
    return;
  }
  yield* walkDirectory(root, []);

  /** Closes `handle`. */
  async function* walkDirectory(handle: FileHandle, path: readonly string[]): AsyncGenerator<Found> {
    try {
      const inside = `/proc/self/fd/${handle.fd}/`;
      // Each entry as it comes: a directory may hold millions.
      for await (const entry of await opendir(inside, { encoding: "buffer" as BufferEncoding })) {
        const raw = entry.name as unknown as Buffer;
        const names = [...path, printableName(raw)];
        yield* walkEntry(Buffer.concat([Buffer.from(inside), raw]), names);
      }
    } catch (error) {
      yield { name: path.join("/") || directory, why: whyNot(error) };
    } finally {
      await handle.close();
    }
  }

  async function* walkEntry(place: Buffer, path: readonly string[]): AsyncGenerator<Found> {
    const name = path.join("/");
    try {
      const stat = await lstat(place);
      if (stat.isDirectory()) {
        if (!mayHold(path)) return;
        if (path.length >= limits.depth) yield { name, why: `deeper than ${limits.depth} directories` };
        else yield* walkDirectory(await open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path);
        return;
      }
      if (!matches(path)) return;
      if (!stat.isFile()) {
        yield { name, why: `a ${kindOf(stat)}` };
        return;
      }
      yield await openFile(place, name);
    } catch (error) {
      if (isGone(error)) return;
      yield { name, why: whyNot(error) };
    }
  }
}

/**
 * Links of the collector's own image are followed, such as /var/run; those in a volume are not: a test may have put one where it ran, and it
 * would lead to what is the collector's alone.
 */
async function openRoot(directory: string): Promise<FileHandle> {
  const names = directory.split("/").filter((name) => name !== "");
  let at = await open("/", O_PATH | O_DIRECTORY);
  const image = (await at.stat()).dev;
  for (const [index, name] of names.entries()) {
    const above = at;
    try {
      const links = (await above.stat()).dev === image ? 0 : O_NOFOLLOW;
      const access = index === names.length - 1 ? O_RDONLY : O_PATH;
      at = await open(`/proc/self/fd/${above.fd}/${name}`, access | O_DIRECTORY | links);
    } finally {
      await above.close();
    }
  }
  return at;
}

/** Opening a pipe would wait for its other end: it may have taken the place of a file just now. */
async function openFile(place: Buffer, name: string): Promise<Found> {
  const file = await open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const isFile = await file.stat().then(
    (stat) => stat.isFile(),
    () => false,
  );
  if (isFile) return { name, file };
  await file.close();
  return { name, why: "no file any more" };
}

function kindOf(stat: { isSymbolicLink(): boolean; isFIFO(): boolean; isSocket(): boolean }): string {
  if (stat.isSymbolicLink()) return "symbolic link";
  if (stat.isFIFO()) return "named pipe";
  return stat.isSocket() ? "socket" : "device";
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

/** For people, without the path, which is that of a handle. */
export function whyNot(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  switch (code) {
    case "EACCES":
    case "EPERM":
      return "it may not be read by the user of the pod";
    case "ELOOP":
      return "a symbolic link";
    case "ENOENT":
      return "it is not there";
    default:
      return `it can't be read (${code ?? "unknown"})`;
  }
}
