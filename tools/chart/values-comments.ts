import { isMap, isScalar, parseDocument, type Scalar, type YAMLMap } from "yaml";

/**
 * What values.yaml says of each value but `config`, by its path: the comment right above it, as one line. An object with comments inside is
 * told by those; one without, such as `resources`, as a whole.
 * @throws Error naming a value that has no comment.
 */
export function describeValues(valuesYaml: string): Map<string, string> {
  const { contents } = parseDocument(valuesYaml);
  if (!isMap(contents)) throw new Error("values.yaml is no map");
  const described = new Map<string, string>();
  const visit = (map: YAMLMap, parent: string): void => {
    for (const { key, value } of map.items) {
      if (!isScalar(key)) throw new Error(`values.yaml has a key below "${parent}" that is no name`);
      const path = `${parent}${key.value}`;
      if (path === "config") continue;
      const comment = commentAbove(valuesYaml, key);
      if (comment !== "") described.set(path, comment);
      if (isMap(value) && hasComments(valuesYaml, value)) visit(value, `${path}.`);
      else if (comment === "") throw new Error(`values.yaml has no comment above ${path}`);
    }
  };
  visit(contents, "");
  return described;
}

function hasComments(text: string, map: YAMLMap): boolean {
  return map.items.some(
    ({ key, value }) => (isScalar(key) && commentAbove(text, key) !== "") || (isMap(value) && hasComments(text, value)),
  );
}

/** The lines of comment that stand above a key, as far in as it does. The parser would give some of them to the value before. */
function commentAbove(text: string, key: Scalar): string {
  const before = text.slice(0, key.range?.[0]).split("\n");
  const mark = `${before.pop()}#`;
  const comment: string[] = [];
  for (let line = before.pop(); line?.startsWith(mark); line = before.pop()) comment.unshift(line.slice(mark.length).trim());
  return comment.join(" ");
}
