import { opendir } from "node:fs/promises";
import { join } from "node:path";

interface Entry {
  name: string;
  isFolder: boolean;
  /** As a part of a path: a folder's goes on with a slash, which counts when paths are compared. */
  key: Buffer;
}

/**
 * Paths of the files below `folder`, relative to `root`, in the order of their bytes, those behind `after`: as a bucket lists its keys. Links
 * are passed over, and so are names with a dot in front at the top.
 */
export async function* walk(root: string, folder: string, after: string): AsyncGenerator<string> {
  for (const { name, isFolder } of await entries(root, folder)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (!isFolder) {
      if (Buffer.compare(Buffer.from(path), Buffer.from(after)) > 0) yield path;
    } else if (mayHoldLater(path, after)) yield* walk(root, path, after);
  }
}

/** Names of the folders right in `folder`. */
export async function folderNames(root: string, folder: string): Promise<string[]> {
  return (await entries(root, folder)).filter(({ isFolder }) => isFolder).map(({ name }) => name);
}

/** Whether anything below this folder can come behind `after`. */
function mayHoldLater(folder: string, after: string): boolean {
  const prefix = `${folder}/`;
  return after.startsWith(prefix) || Buffer.compare(Buffer.from(prefix), Buffer.from(after)) > 0;
}

async function entries(root: string, folder: string): Promise<Entry[]> {
  const found: Entry[] = [];
  try {
    for await (const entry of await opendir(join(root, folder))) {
      const isFolder = entry.isDirectory();
      if ((!isFolder && !entry.isFile()) || (folder === "" && entry.name.startsWith("."))) continue;
      found.push({ name: entry.name, isFolder, key: Buffer.from(isFolder ? `${entry.name}/` : entry.name) });
    }
  } catch (error) {
    // It was removed meanwhile, or was never there.
    if (folder !== "" && ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
  return found.sort((a, b) => Buffer.compare(a.key, b.key));
}
