/** What programs say when they fail, at the beginning of a word; and what they say though nothing failed. */
export const FAILURE_WORDS =
  /(?<![A-Za-z0-9_./-])(?:errors?:|ERRORS?\b(?! ?[=:]? ?0)|FAIL(?:ED|URE)?\b(?! ?[=:]? ?0)|fatal:|FATAL|panic:|Traceback \(most recent|[A-Za-z]{0,40}(?:Error|Exception):|Segmentation fault|Assertion failed|npm ERR!|not ok \d|make(?:\[\d+\])?: \*\*\*|Killed\b)/g;

export function soundsLikeFailure(text: string): boolean {
  return text.search(FAILURE_WORDS) !== -1;
}
