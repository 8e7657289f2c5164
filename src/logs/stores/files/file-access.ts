import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, rmdir } from "node:fs/promises";
import { dirname } from "node:path";

const MAX_MOVES = 20;

/** undefined where there is none; never through a link, and never what is no file: a pipe would be waited for. */
export async function openFile(path: string): Promise<FileHandle | undefined> {
  if ((await statFile(path)) === undefined) return undefined;
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export async function statFile(path: string): Promise<{ size: number; mtime: Date } | undefined> {
  try {
    const found = await lstat(path);
    return found.isFile() ? found : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export async function readText(path: string): Promise<string | undefined> {
  const file = await openFile(path);
  try {
    return await file?.readFile("utf8");
  } finally {
    await file?.close();
  }
}

/** Makes the folder of `target` and moves there; another replica may remove a folder that has become empty just then. */
export async function moveInto(target: string, move: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await mkdir(dirname(target), { recursive: true });
      return await move();
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || tries === MAX_MOVES) throw error;
    }
  }
}

/** So that a name is there after a power cut as well; not every file system can. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY).catch((error) => {
    // What was just put there has been removed by now.
    if (isMissing(error)) return undefined;
    throw error;
  });
  try {
    await directory?.sync();
  } catch (error) {
    if (!["EINVAL", "ENOTSUP", "EPERM", "EACCES"].includes(codeOf(error))) throw error;
  } finally {
    await directory?.close();
  }
}

/** Folders that nothing is left in, from `folder` up to below `top`. */
export async function removeEmptyFolders(folder: string, top: string): Promise<void> {
  for (let at = folder; at.startsWith(`${top}/`); at = dirname(at)) {
    try {
      await rmdir(at);
    } catch (error) {
      if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return;
      if (!isMissing(error)) throw error;
    }
  }
}

export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(codeOf(error));
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | null)?.code ?? "";
}
