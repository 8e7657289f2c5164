// Runs a TypeScript entry of this repository on the pinned Node, whatever Node the system has.
// On a fresh clone it installs the npm packages first. Plain JavaScript: it must run on any Node since 18.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const node = join(modules, "node", "bin", "node");
const [entry, ...args] = process.argv.slice(2);

/** True when node_modules holds exactly what package-lock.json asks for. */
function isInstalled() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
    const present = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(([path, entry]) => path === "" || entry.optional || present[path]?.version === entry.version);
  } catch {
    return false;
  }
}

/** Where node_modules leads, if it is a symbolic link. */
function linkTarget() {
  return lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(modules) : undefined;
}

if (!entry) {
  console.error("usage: node tools/bootstrap.mjs ENTRY.ts [ARGUMENT ...]");
  process.exit(2);
}
if (!isInstalled() || !existsSync(node)) {
  const target = linkTarget();
  if (target !== undefined) {
    // npm ci empties what the link leads to, which is somebody else's.
    console.error(
      `${modules} is a symbolic link to ${target}, and what is there is not what package-lock.json of ${root} asks for.\n` +
        `npm ci would empty ${target}, so it was not run. Remove the link (rm ${modules}) and try again: the packages are installed in its place.`,
    );
    process.exit(1);
  }
  console.error("installing npm packages (npm ci) ...");
  const npm = spawnSync("npm", ["ci", "--no-progress", "--loglevel=error"], { cwd: root, stdio: ["ignore", 2, 2] });
  if (npm.error || npm.status !== 0) {
    console.error(`npm ci failed${npm.error ? `: ${npm.error.message}` : ""}. Run it by hand in ${root} to see why.`);
    process.exit(1);
  }
}
if (!existsSync(node)) {
  console.error(`no Node for this platform at ${node}. Install Node 24.12 or later and run: node ${entry}`);
  process.exit(1);
}

const child = spawn(node, [join(root, entry), ...args], {
  stdio: "inherit",
  env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}` },
});
// The terminal signals the whole process group; only what is sent to this process alone must be passed on.
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
process.on("SIGINT", () => {});
child.on("error", (error) => {
  console.error(`cannot start ${node}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal) process.kill(process.pid, signal === "SIGINT" ? "SIGTERM" : signal);
  process.exit(code ?? 1);
});
