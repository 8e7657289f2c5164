import type { TestTaskSpec } from "./test-task.ts";

/**
 * Fields of a spec that the schema knows and this version does not carry out, as `checkout.projects`. A build of such a task is refused:
 * without its checks or its data a test could pass that should fail. Settings of a checkout that is switched off do not count.
 */
export function unsupportedFields({ checkout, artifacts, datasets, checks }: TestTaskSpec): string[] {
  const used: string[] = [];
  if (checkout.enabled) {
    const { gitUrl, projects, projectBranches, submodules } = checkout;
    const settings = { gitUrl, projects, projectBranches, submodules: submodules || undefined };
    used.push(...Object.entries(settings).flatMap(([field, value]) => (value === undefined ? [] : [`checkout.${field}`])));
  }
  const lists = { artifacts, datasets, checks };
  used.push(...Object.entries(lists).flatMap(([field, value]) => (value === undefined ? [] : [field])));
  return used;
}
