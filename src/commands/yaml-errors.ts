import type { YAMLParseError } from "yaml";

/** What a reader of the file can do about what the YAML package found in `text`, in place of its own few words. */
export function yamlErrorMessage({ code, message, pos: [start] }: YAMLParseError, text: string): string {
  if (code === "DUPLICATE_KEY") return `${keyAt(text, start)} stands here a second time in the same object; remove one of the two`;
  if (code === "TAB_AS_INDENT") return "is indented by a tab, which YAML does not allow; write spaces";
  return message;
}

/** All but those behind a tab that indents, which are as a rule of that line alone: it has neither depth nor key to the package then. */
export function withoutConsequences(errors: readonly YAMLParseError[]): readonly YAMLParseError[] {
  const isTab = ({ code }: YAMLParseError) => code === "TAB_AS_INDENT";
  const firstTab = errors.filter(isTab).reduce((first, { pos: [start] }) => Math.min(first, start), Number.POSITIVE_INFINITY);
  return errors.filter((error) => isTab(error) || error.pos[0] < firstTab);
}

/** As it is written, if it is short. */
function keyAt(text: string, start: number): string {
  return /^(?:"[^"\n]{1,80}"|'[^'\n]{1,80}'|[^\s:,{}[\]][^:\n]{0,79}?)(?=\s*:)/.exec(text.slice(start, start + 100))?.[0] ?? "a key";
}
