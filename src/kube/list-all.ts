import type { KubeClient, ListOptions } from "./kube-client.ts";
import { isExpired } from "./kube-error.ts";
import type { Resource } from "./resource.ts";

const PAGE_SIZE = 500;

/**
 * The newest state of a whole list, read in pages of 500. The pages are one snapshot; when it is compacted away before the last page has
 * been read, the list is read once more in one piece, as that can't expire. `onPage` is called after each answer.
 */
export async function listAll<T>(
  client: KubeClient,
  resource: Resource,
  namespace: string | undefined,
  options: Pick<ListOptions, "labelSelector" | "fieldSelector" | "signal">,
  onPage: () => void = () => {},
): Promise<{ items: T[]; resourceVersion: string }> {
  const items: T[] = [];
  let page = await client.list<T>(resource, namespace, { ...options, limit: PAGE_SIZE });
  onPage();
  for (const item of page.items) items.push(item);
  while (page.metadata.continue) {
    const next = await listNextPage<T>(client, resource, namespace, { ...options, limit: PAGE_SIZE, continue: page.metadata.continue });
    onPage();
    if (next === undefined) {
      const whole = await client.list<T>(resource, namespace, options);
      onPage();
      return { items: whole.items, resourceVersion: whole.metadata.resourceVersion };
    }
    page = next;
    for (const item of page.items) items.push(item);
  }
  return { items, resourceVersion: page.metadata.resourceVersion };
}

/** undefined: the snapshot that `continue` belongs to is gone. */
async function listNextPage<T>(client: KubeClient, resource: Resource, namespace: string | undefined, options: ListOptions) {
  try {
    return await client.list<T>(resource, namespace, options);
  } catch (error) {
    if (isExpired(error)) return undefined;
    throw error;
  }
}
