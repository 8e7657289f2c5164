/**
 * A message of the cluster without the names in it: what is quoted, URLs, paths and references of images. What is left are the words of who
 * says it; a Secret, an image or a registry's path may be called anything, `timeout` and `denied` too.
 */
export function withoutNames(message: string): string {
  return NAMES.reduce((left, name) => left.replace(name, ""), message);
}

const NAMES: readonly RegExp[] = [
  // As Go quotes (`%q`), and as people do.
  /"(?:[^"\\]|\\.)*"|`[^`]*`|(?<!\w)'[^']*'/g,
  /\b\w+:\/\/\S*?(?=:?(?:\s|$))/g,
  // containers/image of a manifest, and the kubelet of a Secret's or ConfigMap's key: nothing is quoted.
  /(?<=\breading manifest )\S+ in \S+(?=:)/gi,
  /(?<=\bkey:? )[^\s:]+/g,
  // registry.example.org:5000/ci/tests:1, /etc/conf; `i/o` is a word.
  /(?<![\w.:/-])(?!i\/o\b)\/?[\w.~-]+(?::\d+)?(?:\/[\w.~-]+)+(?:[:@][\w.-]+)*/g,
];
