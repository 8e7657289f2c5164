/** Names that come with a request, as git and the workspace may have them. */

const MAX_PROJECT_LENGTH = 255;
const PROJECT_SEGMENT = /^[A-Za-z0-9._+~@=,][A-Za-z0-9._+~@=,-]*$/;

/**
 * Where a project lands below the workspace, as zuul-cloner has it: at its own name. Undefined for a name that would leave the workspace,
 * enter a `.git` or pass for an option.
 */
export function projectDirectory(project: string): string | undefined {
  if (project.length > MAX_PROJECT_LENGTH) return undefined;
  const isSafe = project.split("/").every((segment) => PROJECT_SEGMENT.test(segment) && !/^(\.{1,2}|\.git)$/i.test(segment));
  return isSafe ? project : undefined;
}

const MAX_REF_LENGTH = 1024;

/** `git help check-ref-format`, for a full name. */
export function isRefName(ref: string): boolean {
  return (
    ref.startsWith("refs/") &&
    ref.length <= MAX_REF_LENGTH &&
    ref.isWellFormed() &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids exactly these
    !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{/.test(ref) &&
    !ref.endsWith(".") &&
    ref.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"))
  );
}

/** The full id of a commit, SHA-1 or SHA-256. */
export function isCommitId(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(text);
}
