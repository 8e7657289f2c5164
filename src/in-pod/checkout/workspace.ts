import { lstat, mkdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { CheckoutError } from "../../core/checkout/problem.ts";

/** Removes what an earlier checkout has left where projects are to land. */
export async function clearWorkspace(workspace: string, projects: readonly string[]): Promise<void> {
  const root = await realpath(workspace);
  for (const project of projects) {
    const parents = project.split("/").slice(0, -1);
    if (await walkDirectories(root, parents, project)) await rm(join(root, project), { recursive: true, force: true });
  }
}

/** Makes an empty directory for a project. What another project holds at that place is never taken for it. */
export async function makeDirectory(workspace: string, project: string): Promise<string> {
  const root = await realpath(workspace);
  const segments = project.split("/");
  for (const [index, segment] of segments.entries()) {
    const parent = join(root, ...segments.slice(0, index));
    const isMade = await makeOne(join(parent, segment));
    if (index < segments.length - 1) await walkDirectories(parent, [segment], project);
    else if (!isMade) throw new CheckoutError("configuration", `another project holds files where ${project} is to land`);
  }
  return join(root, project);
}

/** Whether all of the path below `root` are directories; false when one is missing. A link is never followed. */
export async function walkDirectories(root: string, segments: readonly string[], path: string): Promise<boolean> {
  let directory = root;
  for (const segment of segments) {
    directory = join(directory, segment);
    const found = await lstat(directory).catch(ifCode("ENOENT"));
    if (found === undefined) return false;
    if (!found.isDirectory()) throw new CheckoutError("configuration", `a link or file in the workspace is in the way of ${path}`);
  }
  return true;
}

/** False when something is there already. */
async function makeOne(directory: string): Promise<boolean> {
  return (await mkdir(directory).then(() => true, ifCode("EEXIST"))) ?? false;
}

function ifCode(code: string): (thrown: NodeJS.ErrnoException) => undefined {
  return (thrown) => {
    if (thrown.code !== code) throw thrown;
    return undefined;
  };
}
