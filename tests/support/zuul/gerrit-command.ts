/**
 * The arguments that Gerrit's ssh server makes of a command line (com.google.gerrit.sshd.CommandFactoryProvider, `split`): blanks and tabs
 * separate outside of quotes, `"` and `'` quote, a backslash stands for what follows unless single quotes are around it. An empty argument
 * is none.
 */
export function splitGerritCommand(line: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] as string;
    if (character === quote) quote = "";
    else if (quote === "" && (character === '"' || character === "'")) quote = character;
    else if (quote === "" && (character === " " || character === "\t")) {
      if (word !== "") words.push(word);
      word = "";
    } else if (character === "\\" && quote !== "'" && at + 1 < line.length) {
      at += 1;
      word += line[at];
    } else word += character;
  }
  return word === "" ? words : [...words, word];
}
