import { isDeepStrictEqual } from "node:util";
import { badRequest, StatusError } from "./status-error.ts";

type Fields = Record<string, unknown>;

/**
 * RFC 6902 on plain JSON objects as kube-apiserver does it; the target is not changed. Replacing a missing key adds it; removing
 * one and a missing parent are errors as a failed test is. Throws `StatusError`; arrays are beyond it.
 */
export function jsonPatch(target: object, operations: readonly unknown[]): object {
  const patched = structuredClone(target) as Fields;
  for (const operation of operations) apply(patched, operation as Fields);
  return patched;
}

function apply(root: Fields, { op, path, value }: Fields): void {
  if (typeof path !== "string" || !path.startsWith("/")) throw badRequest("the fake takes JSON pointers to fields only");
  const keys = path.slice(1).split("/").map(unescapeKey);
  const key = keys.pop() as string;
  const parent = keys.reduce(step, root);
  switch (op) {
    case "test":
      if (!isDeepStrictEqual(parent[key] ?? null, value ?? null)) throw refused();
      break;
    case "add":
    case "replace":
      parent[key] = structuredClone(value);
      break;
    case "remove":
      if (!(key in parent)) throw refused();
      delete parent[key];
      break;
    default:
      throw refused();
  }
}

function step(parent: Fields, key: string): Fields {
  const child = parent[key];
  if (Array.isArray(child)) throw new StatusError(501, "NotImplemented", "the fake patches no arrays");
  if (typeof child !== "object" || child === null) throw refused();
  return child as Fields;
}

/** In this order: `~01` is `~1`. */
function unescapeKey(key: string): string {
  return key.replaceAll("~1", "/").replaceAll("~0", "~");
}

/** The server has this one answer to a patch that can't be applied. */
function refused(): StatusError {
  return new StatusError(422, "Invalid", "the server rejected our request due to an error in our request");
}
