import { readFileSync } from "node:fs";
import { join } from "node:path";

const VERSION = String.raw`\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?`;
const IMAGE = new RegExp(`(?<=\\bregistry\\.example\\.org/turbo-hipster(?:-gearmand)?:)${VERSION}`, "g");
const BUILD_ARGUMENT = new RegExp(`(?<=--build-arg VERSION=)${VERSION}`);

/** Files that people write and that name the version, which is package.json's; what in them it is. */
const PLACES: Readonly<Record<string, readonly RegExp[]>> = {
  "README.md": [IMAGE],
  "charts/turbo-hipster/Chart.yaml": [
    new RegExp(`(?<=^version: )${VERSION}$`, "m"),
    new RegExp(`(?<=^appVersion: ")${VERSION}(?="$)`, "m"),
  ],
  "charts/turbo-hipster/values.yaml": [IMAGE],
  "deploy/Dockerfile": [BUILD_ARGUMENT],
  "deploy/gearmand/Dockerfile": [BUILD_ARGUMENT],
  "docs/install.md": [IMAGE],
};

/** Path below `root` -> content, with that version wherever one is named. Throws for a place that is no longer there. */
export function renderVersionedFiles(root: string, version: string): Map<string, string> {
  return new Map(
    Object.entries(PLACES).map(([path, patterns]) => {
      let text = readFileSync(join(root, path), "utf8");
      for (const pattern of patterns) {
        if (text.search(pattern) === -1) throw new Error(`${path} names no version where tools/versioned-files.ts has one`);
        text = text.replace(pattern, version);
      }
      return [path, text];
    }),
  );
}
