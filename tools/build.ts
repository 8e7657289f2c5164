import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { VERSION } from "../src/version.ts";
import { readBundledPackages, renderLicences } from "./bundled-packages.ts";
import { npmComponent, renderSbom } from "./sbom.ts";

const ROOT = join(import.meta.dirname, "..");
/** What packages of CommonJS expect to be there. */
const COMMON_JS = [
  'import { createRequire as makeRequire } from "node:module";',
  "const require = makeRequire(import.meta.url), __filename = import.meta.filename, __dirname = import.meta.dirname;",
].join("\n");

/** Beside the program: what it is made of. */
export const SBOM_FILE = "sbom.cdx.json";

/**
 * Makes the published program in `directory`, which is emptied first: plain JavaScript with what it needs of its packages, so that it runs
 * without any node_modules, unless `packages` is "external", for whoever compares. What a command loads when it is asked for stays in files of its
 * own. Throws with esbuild's messages.
 */
export async function buildProgram(directory: string, packages: "bundle" | "external" = "bundle"): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  const { metafile } = await build({
    // The thread that checks logs is begun from a file of its own.
    entryPoints: { main: join(ROOT, "src/main.ts"), "check-worker": join(ROOT, "src/logs/checking/check-worker.ts") },
    outdir: directory,
    absWorkingDir: ROOT,
    ...{ bundle: true, packages, splitting: true, format: "esm", platform: "node", target: "node24", metafile: true },
    // Names stay, for stacks; comments of licences go into a file of their own, whole.
    ...{ minifySyntax: true, minifyWhitespace: true, legalComments: "none", logLevel: "silent" },
    banner: { js: COMMON_JS },
    plugins: packages === "bundle" ? [leaveOutUnused, leaveOutLanguages, leaveOutOfUndici] : [],
  });
  // Beside the files that read them; what browsers get is served as it is.
  cpSync(join(ROOT, "src/web/assets"), join(directory, "assets"), { recursive: true });
  const bundled = readBundledPackages(metafile, ROOT);
  writeFileSync(join(directory, "LICENSES.txt"), renderLicences(bundled));
  const parts = bundled.map(({ name, version, license }) => npmComponent("library", name, version, license));
  writeFileSync(join(directory, SBOM_FILE), renderSbom(npmComponent("application", "turbo-hipster", VERSION, "Apache-2.0"), parts));
}

/** client-node does not say that loading it does nothing: without that word all its generated classes, 15 MB, would be kept for one of them. */
const leaveOutUnused: Plugin = {
  name: "leave out what is not used of client-node",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /./ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      const concerns = path === "@kubernetes/client-node" || importer.includes("/@kubernetes/client-node/");
      if (!concerns || pluginData === leaveOutUnused) return undefined;
      const resolved = await resolve(path, { kind, importer, resolveDir, pluginData: leaveOutUnused });
      const isOwn = resolved.path.includes("/@kubernetes/client-node/");
      return isOwn && resolved.errors.length === 0 ? { path: resolved.path, sideEffects: false } : undefined;
    });
  },
};

/** zod has its messages in sixty languages, and says that they may be asked for. Ours are in English. */
const leaveOutLanguages: Plugin = {
  name: "leave out languages",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/locales\/index\.js$/ }, ({ importer, path }) =>
      importer.includes("/node_modules/zod/") ? { path, namespace: "no-languages" } : undefined,
    );
    onLoad({ filter: /./, namespace: "no-languages" }, () => ({ contents: "export {};" }));
  },
};

/** undici's one file of exports loads these, which neither client-node nor we ask for. What its other files need of them stays. */
const leaveOutOfUndici: Plugin = {
  name: "leave out what is not used of undici",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/lib\/(mock|interceptor|cache|web\/(websocket|eventsource|cookies))\// }, ({ importer, path }) =>
      importer.endsWith("/node_modules/undici/index.js") ? { path, namespace: "not-of-undici" } : undefined,
    );
    onLoad({ filter: /./, namespace: "not-of-undici" }, () => ({ contents: "module.exports = {};" }));
  },
};

if (import.meta.main) {
  await buildProgram(join(ROOT, "dist")).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
