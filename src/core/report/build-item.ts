import * as z from "zod";
import { ITEM_ANNOTATION } from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";
import { type Parameters, textParameter } from "../zuul/parameters.ts";

/** What a build tests, in Zuul's words; each is as the request had it, cut at 255 characters, and may be missing. */
export interface BuildItem {
  project?: string | undefined;
  branch?: string | undefined;
  change?: string | undefined;
  patchset?: string | undefined;
  pipeline?: string | undefined;
  ref?: string | undefined;
}

const PARAMETER_OF = {
  project: "ZUUL_PROJECT",
  branch: "ZUUL_BRANCH",
  change: "ZUUL_CHANGE",
  patchset: "ZUUL_PATCHSET",
  pipeline: "ZUUL_PIPELINE",
  ref: "ZUUL_REF",
} as const;
/** As in Zuul's own database. */
const MAX_LENGTH = 255;

const part = z.string().max(MAX_LENGTH).optional();
export const itemSchema = z.object({ project: part, branch: part, change: part, patchset: part, pipeline: part, ref: part });

export function itemOf(parameters: Parameters): BuildItem {
  const members = Object.entries(PARAMETER_OF).flatMap(([name, parameter]) => {
    const value = textParameter(parameters, parameter);
    return value === undefined || value === "" ? [] : [[name, value.slice(0, MAX_LENGTH).toWellFormed()]];
  });
  return Object.fromEntries(members);
}

/** From the Job's annotation; nothing is known of Jobs of an older version, and of such as were edited. */
export function readItem({ metadata }: Job): BuildItem {
  try {
    return itemSchema.safeParse(JSON.parse(metadata.annotations?.[ITEM_ANNOTATION] ?? "{}")).data ?? {};
  } catch {
    return {};
  }
}
