import * as z from "zod";
import { withRules } from "./rule.ts";
import { labelValueSchema } from "./scalar.ts";

/** Labels and annotations that a TestTask gives its Jobs and pods. */

const MAX_ENTRIES = 50;
/** With a request's parameters (128 KiB) and a script (64 KiB) beside them, a pod's annotations must stay below 256 KiB. */
const MAX_ANNOTATIONS_BYTES = 32_768;

const KEY_PATTERN = "^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$";
const KEY_REG_EXP = new RegExp(KEY_PATTERN);
/** Ours, and those that the Job controller sets on what it makes. */
const RESERVED_PATTERN =
  "^(([^/]*\\.)?turbo-hipster\\.io/.*|batch\\.kubernetes\\.io/.*|app\\.kubernetes\\.io/managed-by|job-name|controller-uid)$";
const RESERVED_REG_EXP = new RegExp(RESERVED_PATTERN);

function cel(pattern: string): string {
  return `'${pattern.replaceAll("\\", "\\\\")}'`;
}

/** The rules for both; the price of a rule on a map counts the longest key that fits into a request, so keys are looked at once each. */
function withKeyRules<V extends z.ZodType<string>>(values: V) {
  return withRules(
    z
      .record(z.string(), values)
      .refine((entries) => Object.keys(entries).length <= MAX_ENTRIES, `must have at most ${MAX_ENTRIES} entries`)
      .meta({ maxProperties: MAX_ENTRIES }),
    [
      {
        cel: `self.all(key, key.size() <= 317 && key.matches(${cel(KEY_PATTERN)}))`,
        holds: (entries) => Object.keys(entries).every((key) => Array.from(key).length <= 317 && KEY_REG_EXP.test(key)),
        message: "keys must be such as team or example.com/team: letters, digits, '-', '_' and '.', at most 63 of them after the slash",
      },
      {
        cel: `self.all(key, !key.matches(${cel(RESERVED_PATTERN)}))`,
        holds: (entries) => Object.keys(entries).every((key) => !RESERVED_REG_EXP.test(key)),
        message:
          "keys below turbo-hipster.io and batch.kubernetes.io, app.kubernetes.io/managed-by, job-name and controller-uid are not yours to set",
      },
    ],
  );
}

export const labelsSchema = withKeyRules(labelValueSchema);

const encoder = new TextEncoder();

export const annotationsSchema = withRules(withKeyRules(z.string().max(MAX_ANNOTATIONS_BYTES)), [
  {
    cel: `self.map(key, bytes(self[key]).size()).sum() <= ${MAX_ANNOTATIONS_BYTES}`,
    holds: (entries) =>
      Object.values(entries as Record<string, string>).reduce((sum, value) => sum + encoder.encode(value).length, 0) <=
      MAX_ANNOTATIONS_BYTES,
    message: "must be at most 32 KiB together",
  },
]);
