import { CHECKS_ANNOTATION } from "../kubernetes/labels.ts";
import type { Job } from "../kubernetes/objects.ts";
import { type Check, checksSchema } from "../test-task/schema/check.ts";
import { findCheckFaults } from "./check-faults.ts";

/** Whether a test's log is to be checked, and with which times. */
export function hasChecks({ metadata }: Job): boolean {
  return metadata.annotations?.[CHECKS_ANNOTATION] !== undefined;
}

/** The task's `checks` as they were when the Job was made; "spoilt" where anyone with access has edited them so that they are none any more. */
export function readChecks({ metadata }: Job): Check[] | "spoilt" {
  try {
    const { data } = checksSchema.safeParse(JSON.parse(metadata.annotations?.[CHECKS_ANNOTATION] ?? "[]"));
    return data === undefined || findCheckFaults(data).length > 0 ? "spoilt" : data;
  } catch {
    return "spoilt";
  }
}
