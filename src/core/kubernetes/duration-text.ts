import * as z from "zod";
import { DURATION_MAX_LENGTH, DURATION_PATTERN, isDuration } from "./duration.ts";

/** A duration in a configuration: `90s`, `1h30m`. What it must look like is told to JSON schemas that are made of it as well. */
export const durationText = z
  .string()
  .refine(isDuration, "must be a duration like 90s, 30m or 24h")
  .meta({ pattern: DURATION_PATTERN, maxLength: DURATION_MAX_LENGTH });
