import * as z from "zod";
import { DURATION_MAX_LENGTH, DURATION_PATTERN, isDuration, parseDurationMs } from "../../kubernetes/duration.ts";
import { matchingString, renderCelString, withRules } from "./rule.ts";

/** The texts and numbers that several parts of a TestTask's schema are made of. */

const MAX_TIMEOUT = "168h";
const DURATION_MESSAGE = `must be a duration from 1s to ${MAX_TIMEOUT}, such as 90s, 10m or 1h30m`;

export const durationSchema = withRules(z.string({ error: DURATION_MESSAGE }).max(DURATION_MAX_LENGTH), [
  {
    cel: `self.matches(${renderCelString(DURATION_PATTERN)}) && duration(self) >= duration('1s') && duration(self) <= duration('${MAX_TIMEOUT}')`,
    holds: (text) => isDuration(text) && parseDurationMs(text) >= 1000 && parseDurationMs(text) <= parseDurationMs(MAX_TIMEOUT),
    message: DURATION_MESSAGE,
  },
]);

export const imageSchema = matchingString(
  "^[A-Za-z0-9\\[][A-Za-z0-9._:/@+\\[\\]-]*$",
  1000,
  "must be an image reference such as python:3.12 or registry.example.com/ci/tests@sha256:..., without blanks",
);

/** A container's or another part's name: it becomes part of names that Kubernetes limits to a DNS label. */
export const dnsLabelSchema = matchingString(
  "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
  50,
  "must consist of lower-case letters, digits and '-', and begin and end with a letter or digit",
);

export const objectNameSchema = matchingString(
  "^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
  253,
  "must be the name of a Kubernetes object: lower-case letters, digits, '-' and '.'",
);

export const labelValueSchema = matchingString(
  "^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$",
  63,
  "must be a label's value: letters, digits, '_', '.' and '-'",
);

/** Project names as they become directories: see `projectDirectory`. */
export const projectNameSchema = withRules(
  matchingString(
    "^[A-Za-z0-9._+~@=,][A-Za-z0-9._+~@=,-]*(/[A-Za-z0-9._+~@=,][A-Za-z0-9._+~@=,-]*)*$",
    255,
    "must be the name of a project in Zuul, such as openstack/nova",
  ),
  [
    {
      cel: "!self.matches('(^|/)(\\\\.|\\\\.\\\\.|\\\\.[gG][iI][tT])(/|$)')",
      holds: (name) => !/(^|\/)(\.|\.\.|\.[gG][iI][tT])(\/|$)/.test(name),
      message: "must not have '.', '..' or '.git' between its slashes",
    },
  ],
);

/** Where something is mounted: nothing that containers need to be as it is, and nothing of ours. */
export const mountPathSchema = withRules(
  matchingString("^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$", 255, "must be an absolute path without '.', '..' and blanks, such as /workspace"),
  [
    {
      cel: "!self.matches('^/(dev|proc|sys|tmp|run/turbo-hipster)(/|$)')",
      holds: (path) => !/^\/(dev|proc|sys|tmp|run\/turbo-hipster)(\/|$)/.test(path),
      message: "must not lie in /dev, /proc, /sys, /tmp or /run/turbo-hipster",
    },
  ],
);

export const portSchema = z.int().min(1).max(65_535);
