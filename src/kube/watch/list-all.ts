import type { KubeClient, ListOptions } from "../client/kube-client.ts";
import { isExpired } from "../client/kube-error.ts";
import type { Resource } from "../client/resource.ts";

/** A page of finished builds' Jobs, some 14 KB each, is read in a go that does not hold up the links. */
const PAGE_SIZE = 250;

/**
 * The newest state of a whole list, read in pages of 250. The pages are one snapshot; when it is compacted away before the last page has
 * been read, the list is read once more in one piece, as that can't expire. `onPage` is called after each answer. `keep` says what is
 * held of an item, as soon as its page is there: ten thousand whole Jobs take hundreds of MB.
 */
export async function listAll<T, K = T>(
  client: KubeClient,
  resource: Resource,
  namespace: string | undefined,
  options: Pick<ListOptions, "labelSelector" | "fieldSelector" | "signal">,
  onPage: () => void = () => {},
  keep: (item: T) => K = (item) => item as unknown as K,
): Promise<{ items: K[]; resourceVersion: string }> {
  const items: K[] = [];
  let page = await client.list<T>(resource, namespace, { ...options, limit: PAGE_SIZE });
  onPage();
  for (const item of page.items) items.push(keep(item));
  while (page.metadata.continue) {
    const next = await listNextPage<T>(client, resource, namespace, { ...options, limit: PAGE_SIZE, continue: page.metadata.continue });
    onPage();
    if (next === undefined) {
      items.length = 0;
      const whole = await client.list<T>(resource, namespace, options);
      onPage();
      return { items: whole.items.map(keep), resourceVersion: whole.metadata.resourceVersion };
    }
    page = next;
    for (const item of page.items) items.push(keep(item));
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
