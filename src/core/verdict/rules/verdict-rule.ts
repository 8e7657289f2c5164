import type { Finding, Sighting } from "../sighting.ts";

export type VerdictClass = "success" | "failure" | "cancelled" | "infrastructure" | "configuration";

export interface VerdictRule {
  id: string;
  class: VerdictClass;
  /** What was seen, for the documentation. */
  seen: string;
  /** The result text as it is, or looks; null: none. */
  result: string | null;
  /** The result is this word, whatever was found. */
  token?: string;
  /** What is kept in the Job's annotation beside rule and sentence. */
  keeps: string;
  /** Told by what is seen of Job and pod; rules without it are told by whoever refuses or gives up a build before there is any. */
  find?: (sighting: Sighting) => Finding | undefined;
  /** The Job goes as well: left alone, it would make a pod for a build that was answered. */
  deletesJob?: true;
  /** Says nothing of what the next build of the task would meet. */
  isChance?: true;
}

/** What most verdicts keep. */
export const POD = "pod, exit code, reason";
