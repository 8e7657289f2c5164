const START = ',"managedFields":[';
const [QUOTE, BACKSLASH, OPEN, CLOSE] = ['"', "\\", "[", "]"].map((character) => character.charCodeAt(0));

/**
 * The text of a watch event without the `metadata.managedFields` of its object: a half of what a Job or a pod says, in a thousand small
 * objects that nobody here looks at. A text in which it is not found comes back as it is.
 *
 * No text in an object can pose as the member: a quote within a string is written with a backslash, so that a quote right behind a comma
 * either ends a string, and then no name can follow, or begins the name of a member. That of the metadata comes first, whether the API server
 * writes the members in the order of its types or in that of the alphabet; what may hold a member of this name is below `spec`.
 */
export function withoutManagedFields(text: string): string {
  const start = text.indexOf(START);
  if (start === -1) return text;
  const spec = text.lastIndexOf(',"spec":{', start);
  const end = spec === -1 ? endOfList(text, start + START.length) : undefined;
  return end === undefined ? text : text.slice(0, start) + text.slice(end);
}

/** Where the list ends whose opening bracket is before `from`; undefined where it does not. */
function endOfList(text: string, from: number): number | undefined {
  let depth = 1;
  let isInString = false;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) isInString = !isInString;
    else if (isInString) at += code === BACKSLASH ? 1 : 0;
    else if (code === OPEN) depth += 1;
    else if (code === CLOSE && --depth === 0) return at + 1;
  }
  return undefined;
}
