import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/runtime/clock.ts";
import { TurboHipsterError } from "../../src/runtime/errors.ts";

/** Where cgroup hierarchies are mounted: one of version 2, or several of version 1 (and then perhaps one of version 2 without controllers). */
function listHierarchies(): { path: string; version: 1 | 2 }[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => {
      const [before, after] = line.split(" - ");
      const path = before?.split(" ")[4];
      const type = after?.split(" ")[0];
      if (path === undefined || (type !== "cgroup" && type !== "cgroup2")) return [];
      return [{ path, version: type === "cgroup" ? 1 : 2 }];
    });
}

/** Makes the cgroup `name` in every hierarchy, fit to be a kubelet's cgroupRoot. */
export function makeCgroup(name: string): void {
  const hierarchies = listHierarchies();
  const unified = !hierarchies.some((hierarchy) => hierarchy.version === 1);
  for (const { path, version } of hierarchies) {
    if (version === 2 && !unified) continue;
    const directory = join(path, name);
    mkdirSync(directory, { recursive: true });
    if (version === 2) {
      const controllers = readFileSync(join(path, "cgroup.controllers"), "utf8").trim().split(" ");
      const enable = controllers.map((controller) => `+${controller}`).join(" ");
      writeFileSync(join(path, "cgroup.subtree_control"), enable);
      writeFileSync(join(directory, "cgroup.subtree_control"), enable);
    } else if (existsSync(join(directory, "cpuset.cpus"))) {
      // A new cgroup of version 1 has no processors and no memory; nothing can run in it before it is given some.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) writeFileSync(join(directory, file), readFileSync(join(path, file)));
    }
  }
}

/** Where the cgroup `name` exists. */
export function findCgroup(name: string): string[] {
  return listHierarchies()
    .map(({ path }) => join(path, name))
    .filter((directory) => existsSync(directory));
}

/** Removes the cgroup `name` and all below it; its processes must have ended, which the kernel may notice a moment later. */
export async function removeCgroup(name: string): Promise<void> {
  for (const directory of findCgroup(name)) {
    for (let tries = 1; existsSync(directory); tries++) {
      try {
        removeTree(directory);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code !== "EBUSY" && code !== "ENOENT") throw error;
        if (tries === 100)
          throw new TurboHipsterError("TH_CGROUP", `cgroup ${directory} still has processes: ${listProcesses(directory)}`, {
            cause: error,
          });
        await systemClock.sleep(100);
      }
    }
  }
}

/** cgroup directories are removed by rmdir alone; the files in them are not real. */
function removeTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(directory, entry.name));
  }
  rmdirSync(directory);
}

function listProcesses(directory: string): string {
  return readFileSync(join(directory, "cgroup.procs"), "utf8").trim().split("\n").join(" ") || "none, but cgroups below";
}
