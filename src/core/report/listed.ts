const MAX_LISTED = 5;

/** For people: the first five of them, and how many more there are. */
export function listed(items: readonly string[], separator = ", "): string {
  const more = items.length - MAX_LISTED;
  return more > 0 ? `${items.slice(0, MAX_LISTED).join(separator)} and ${more} more` : items.join(separator);
}
