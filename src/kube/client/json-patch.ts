/** An operation of RFC 6902 as the API server takes it. `path` is a JSON pointer: see `renderPointer`. */
export type JsonPatchOperation =
  | { readonly op: "test" | "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** The JSON pointer (RFC 6901) to a field: `renderPointer("metadata", "annotations", "a.io/b")` is `/metadata/annotations/a.io~1b`. */
export function renderPointer(...keys: readonly string[]): string {
  return keys.map((key) => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
