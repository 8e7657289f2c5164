import * as z from "zod";
import type { Verdict } from "../verdict/verdict.ts";
import { failureText } from "../zuul/clean-result-text.ts";

/** A verdict as it stands on a Job: written by this program or by another version of it, and perhaps edited since. */
export const verdictSchema = z
  .object({
    result: z.string().nullable(),
    class: z.enum(["success", "failure", "cancelled", "infrastructure", "configuration"]),
    rule: z.string(),
    message: z.string(),
  })
  .refine(isConsistent)
  .transform((verdict) => ({ ...verdict, result: verdict.class === "success" ? verdict.result : clean(verdict.result) }));

/**
 * Whether this program could have written it: only a success is called SUCCESS, and only infrastructure has no result. An older version let
 * more pass in a result, quotation marks among them: such a verdict stands, and its text is cleaned.
 */
function isConsistent({ result, class: verdictClass }: Pick<Verdict, "result" | "class">): boolean {
  if (verdictClass === "success") return result === "SUCCESS";
  return verdictClass === "infrastructure" ? result === null : result === "FAILURE" || (result !== null && clean(result) !== "FAILURE");
}

function clean<T extends string | null>(result: T): T | string {
  return result === null ? result : failureText(result);
}

/** JSON in an annotation; undefined for what is none, or not such. */
export function parseAnnotation<T>(schema: z.ZodType<T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
