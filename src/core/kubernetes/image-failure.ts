import { withoutNames } from "./without-names.ts";

/** Why an image cannot be had, where trying again does not help; `denied` is a repository that is not there as often as one that is private. */
export type ImageFailure = "not-found" | "denied" | "platform";

/** A registry that cannot be reached, or has no time for us: it will. */
const PASSES =
  /\blookup [^ ]+|no such host|timed out|timeout|connection re(?:fused|set)|deadline exceeded|unexpected EOF|too ?many ?requests|rate limit|\b(?:429|50[0-4]) /i;

/**
 * What the kubelet says of a pull that failed, in the words of containerd and CRI-O (tests/fixtures/runtime-words.ts has them with their
 * sources). Undefined for all that may pass: a registry's own trouble, credentials that it does not take, a layer or snapshot that is gone.
 */
export function imageFailure(message: string): ImageFailure | undefined {
  if (/no match for platform in manifest|no (?:matching manifest|image found in (?:manifest list|image index)) for /.test(message)) {
    return "platform";
  }
  const said = withoutNames(message);
  if (PASSES.test(said)) return undefined;
  if (
    /manifest unknown|name unknown|repository name not known to registry|failed to resolve (?:reference|image).*: not found|\/manifests\/\S+ not found/.test(
      message,
    )
  ) {
    return "not-found";
  }
  const isDenied =
    /pull access denied|repository does not exist or (?:you )?may|requested access to the resource is denied|access to the requested resource is not authorized|denied: denied/;
  // Who gives no credentials is refused a token for what is not there; credentials that are refused may be new ones in a minute.
  const isAnonymous = /failed to fetch anonymous token: unexpected status.*: 40[13]\b/;
  return isDenied.test(said) || isAnonymous.test(message) ? "denied" : undefined;
}

/** The image of a message about a pull, by the name that the pod has for it where that is told. */
export function imageOf(message: string): string | undefined {
  return (
    /(?:Back-off pulling image|Failed to pull image|Container image) "([^"]+)"/.exec(message)?.[1] ??
    /(?:pull and unpack image|pulling image|failed to resolve reference) "([^"]+)"/.exec(message)?.[1] ??
    /initializing source docker:\/\/(\S+): /.exec(message)?.[1] ??
    /reading manifest (?<tag>\S+) in (?<name>\S+): /.exec(message)?.slice(1).reverse().join(":")
  );
}

/** `registry:5000/ci/tests:1` for people who may not have a colon: `ci/tests tag 1 at registry port 5000`. */
export function sayImage(reference: string): string {
  const { host, port, name, tag, digest } =
    /^(?:(?<host>[^/:]+):(?<port>\d+)\/)?(?<name>[^:@]+)(?::(?<tag>[^:@]+))?(?:@(?<digest>[^@]+))?$/.exec(reference)?.groups ?? {};
  if (name === undefined) return reference;
  return [
    name.replace(/^docker\.io\/library\//, ""),
    ...(tag === undefined ? [] : [`tag ${tag}`]),
    ...(digest === undefined ? [] : [`digest ${digest.replace(/^(\w+):(.{0,12}).*$/, "$1 $2")}`]),
    ...(port === undefined ? [] : [`at ${host} port ${port}`]),
  ].join(" ");
}
