import type { TestTaskSpec } from "./test-task.ts";

/**
 * Fields of a spec that the schema knows and this version does not carry out, as `checks`. A build of such a task is refused:
 * without its checks or its data a test could pass that should fail. Settings of a checkout that is switched off do not count.
 */
export function unsupportedFields({ checkout, artifacts, datasets, checks }: TestTaskSpec): string[] {
  const used: string[] = [];
  if (checkout.enabled && checkout.submodules) used.push("checkout.submodules");
  const lists = { artifacts, datasets, checks };
  used.push(...Object.entries(lists).flatMap(([field, value]) => (value === undefined ? [] : [field])));
  return used;
}
