import type { z } from "zod";
import { withRules } from "./rule.ts";

/** Names in a build's pod that are turbo-hipster's: those of its containers, and all that begin like its volumes. */

const OWN_CONTAINERS = ["checkout", "collector"];
const OWN_PREFIX = "th-";
/** Templates may mount it, so its name stays (docs/testtask.md). */
export const WORKSPACE_VOLUME = "th-workspace";
/** The same. */
export const DATASET_VOLUME = "th-dataset";

/** A container's name that is none of ours. */
export function notOwnContainer<S extends z.ZodType<string>>(name: S): S {
  return withRules(name, [
    {
      cel: `!(self in [${OWN_CONTAINERS.map((own) => `'${own}'`).join(", ")}]) && !self.startsWith('${OWN_PREFIX}')`,
      holds: (text) => !OWN_CONTAINERS.includes(text) && !text.startsWith(OWN_PREFIX),
      message: `must not be ${OWN_CONTAINERS.join(" or ")} and not begin with ${OWN_PREFIX}: those containers are turbo-hipster's own; rename it`,
    },
  ]);
}

/** A volume's name that is none of ours; the mounts of ours are anybody's. */
export function notOwnVolume<S extends z.ZodType<string>>(name: S): S {
  return withRules(name, [
    {
      cel: `!self.startsWith('${OWN_PREFIX}')`,
      holds: (text) => !text.startsWith(OWN_PREFIX),
      message: `must not begin with ${OWN_PREFIX}: those volumes are turbo-hipster's own; rename it, and mount ${WORKSPACE_VOLUME} without a volume of that name`,
    },
  ]);
}
