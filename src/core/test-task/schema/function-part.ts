import * as z from "zod";
import { renderCelString, withRules } from "./rule.ts";

/**
 * Names that become a part of a Gearman function, `build:<job>:<node label>`. Zuul takes any text without blanks for a job's name
 * (`zuul/layoutvalidator.py`), and joins by colons (`zuul/launcher/gearman.py`). gearmand has room for 512 bytes in all.
 */

/** What no part may have: a blank, a colon, or what cannot be seen. RE2 and JavaScript alike. */
const FORBIDDEN_PATTERN = "[\\p{Z}\\p{Cc}\\p{Cf}:]";
const FORBIDDEN = new RegExp(FORBIDDEN_PATTERN, "u");

const encoder = new TextEncoder();

function functionPart(maxBytes: number, message: string): z.ZodType<string> {
  // The limit for the API server's reckoning is wider: the rule is the one that says bytes.
  return withRules(
    z
      .string()
      .min(1)
      .max(2 * maxBytes),
    [
      { cel: `!self.matches(${renderCelString(FORBIDDEN_PATTERN)})`, holds: (name) => !FORBIDDEN.test(name), message },
      {
        cel: `bytes(self).size() <= ${maxBytes}`,
        holds: (name) => encoder.encode(name).length <= maxBytes,
        message: `must be at most ${maxBytes} bytes long`,
      },
    ],
  );
}

const MAX_JOB_BYTES = 200;
const MAX_LABEL_BYTES = 100;

/** Whether Gearman and Zuul can carry the text as a job's name, whatever else is wrong with it. */
export const isJobsFunctionPart = (value: unknown): value is string => isFunctionPart(value, MAX_JOB_BYTES);
/** The same of a node label's. */
export const isLabelsFunctionPart = (value: unknown): value is string => isFunctionPart(value, MAX_LABEL_BYTES);

function isFunctionPart(value: unknown, maxBytes: number): value is string {
  return typeof value === "string" && value !== "" && !FORBIDDEN.test(value) && encoder.encode(value).length <= maxBytes;
}

const TEMPLATE_PATTERN = "\\{[^{}]*\\}";

export const jobNameSchema = withRules(
  functionPart(
    MAX_JOB_BYTES,
    "must be the name of one of Zuul's jobs, without blanks, without build: before it and without a colon (a node label goes into spec.nodeLabels)",
  ),
  [
    {
      cel: "!self.startsWith('^')",
      holds: (name) => !name.startsWith("^"),
      message: "is a regular expression for several of Zuul's jobs; name each job that it stands for, one to a line",
    },
    {
      cel: `!self.matches(${renderCelString(TEMPLATE_PATTERN)})`,
      holds: (name) => !new RegExp(TEMPLATE_PATTERN).test(name),
      message: "is a template of Zuul's layout, to be filled in; name each job that is made of it, one to a line",
    },
  ],
);

export const nodeLabelNameSchema = functionPart(
  MAX_LABEL_BYTES,
  "must be one node label as Zuul sends it in ZUUL_NODE, without blanks and colons; of several, each gets an entry of its own",
);
