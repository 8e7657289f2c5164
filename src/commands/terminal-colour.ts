import { styleText } from "node:util";

/** What a line is about; aside: what need not be read. */
export type Tone = "good" | "bad" | "doubtful" | "aside";
/** A line for the terminal. */
export type Paint = (tone: Tone, line: string) => string;

/** What is no terminal shows the line alone. */
export const PLAIN: Paint = (_tone, line) => line;

const STYLES = { good: "green", bad: "red", doubtful: "yellow", aside: "dim" } as const;

/** Colours where `stream` is a terminal that has some; never with NO_COLOR set, always with FORCE_COLOR (https://no-color.org). */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  return (tone, line) => styleText(STYLES[tone], line, { stream });
}
