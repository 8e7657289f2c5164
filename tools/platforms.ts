import { InputError } from "../src/runtime/errors.ts";

/** The processors that images are made for, as OCI and Debian call them, and what Node calls each. */
const NODE_NAMES = { amd64: "x64", arm64: "arm64" } as const;

export type Architecture = keyof typeof NODE_NAMES;

const PLATFORMS = Object.keys(NODE_NAMES).map((name) => `linux/${name}`);

/** That of a Node; throws InputError where no image is made for it. */
export function architectureOf(nodeName: string = process.arch): Architecture {
  for (const [name, ofNode] of Object.entries(NODE_NAMES)) if (ofNode === nodeName) return name as Architecture;
  throw new InputError(`images are made for ${PLATFORMS.join(" and ")}; this Node is one for ${nodeName}`);
}

export function nodeNameOf(architecture: Architecture): string {
  return NODE_NAMES[architecture];
}

/** `linux/amd64,linux/arm64`, as docker buildx has it; throws InputError for others, for none, and for one twice. */
export function parsePlatforms(list: string): [Architecture, ...Architecture[]] {
  const wanted = list.split(",");
  for (const platform of wanted) {
    if (!PLATFORMS.includes(platform)) throw new InputError(`--platform: "${platform}" is none of ${PLATFORMS.join(", ")}`);
  }
  if (new Set(wanted).size < wanted.length) throw new InputError(`--platform: "${list}" names one twice`);
  return wanted.map((platform) => platform.slice("linux/".length)) as [Architecture, ...Architecture[]];
}
