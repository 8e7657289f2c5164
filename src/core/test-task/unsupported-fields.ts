import type { TestTaskSpec } from "./test-task.ts";

/**
 * Fields of a spec that the schema knows and this version does not carry out, as `checks`. A build of such a task is refused: without its checks
 * a test could pass that should fail.
 */
export function unsupportedFields({ checks }: TestTaskSpec): string[] {
  return Object.entries({ checks }).flatMap(([field, value]) => (value === undefined ? [] : [field]));
}
