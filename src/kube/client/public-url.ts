/** For messages: what of a URL is no secret. Its login is left out, and what comes after the path. */
export function renderPublicUrl(text: string): string {
  const url = URL.parse(text);
  // Of what has no host, everything may be one: `user:secret@proxy` is a URL with the scheme "user".
  if (!url || url.host === "") return "a URL that can't be read";
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
}
