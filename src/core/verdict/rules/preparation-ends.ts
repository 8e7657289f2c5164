import { CHECKOUT_EXIT_CODES } from "../../checkout/problem.ts";
import { DATASET_CONTAINER } from "../../kubernetes/container-roles.ts";
import { isStartFailure } from "../../kubernetes/start-failure.ts";
import { firstLine } from "../../zuul/clean-result-text.ts";
import { endOf, exitEvidence, whenCheckoutFailed, whenOutOfMemory } from "../sighting.ts";
import type { VerdictRule } from "./verdict-rule.ts";

// What has to be done before the test failed: the checkout, or what the cluster has added.

export const injectedFailed = {
  id: "injected-failed",
  class: "infrastructure",
  seen: "An init container that the cluster had added to the pod (a mesh, an agent) failed; neither the task nor the change knows of it.",
  result: null,
  keeps: "container, exit code, reason",
  find: ({ state }) =>
    state.kind === "not-started" && state.role === "injected"
      ? {
          sentence: `init container ${state.container}, which the cluster added to the pod, failed - ${endOf(state.terminated)}`,
          evidence: { container: state.container, ...exitEvidence(state.terminated) },
        }
      : undefined,
} as const satisfies VerdictRule;

export const checkoutOutOfMemory = {
  id: "checkout-out-of-memory",
  class: "configuration",
  seen: "The checkout, or git in it, was `OOMKilled` at a limit of its own: that of a LimitRange, for instance, and the next one would be as well.",
  result: "CONFIG_ERROR - checkout out of memory (limit 24Mi)",
  keeps: "container, exit code, limit",
  find: (sighting) =>
    whenOutOfMemory(sighting, ({ container, limit, role }) =>
      role === "checkout" && limit !== undefined
        ? { sentence: `checkout out of memory (limit ${limit})`, evidence: { container, limit } }
        : undefined,
    ),
} as const satisfies VerdictRule;

export const checkoutConfiguration = {
  id: "checkout-configuration",
  class: "configuration",
  seen: "The checkout cannot work as it is set up: bad URL, forbidden host, missing credentials; a build that no branch is to be found for; a `ZUUL_REF` or `ZUUL_COMMIT` that is not there because a parameter-function chose it; a ref that was enqueued without `--newrev`; a submodule whose URL may not be fetched, or leads nowhere (exit code 78).",
  result: "CONFIG_ERROR - git.example.org has no project nova - check zuul_url in zuul.conf",
  keeps: "container, exit code",
  find: whenCheckoutFailed(CHECKOUT_EXIT_CODES.configuration),
} as const satisfies VerdictRule;

export const checkoutRef = {
  id: "checkout-ref",
  class: "failure",
  seen: "What Zuul names cannot be checked out: the change's ref is gone, a branch or tag was deleted, a submodule's commit is nowhere, or a path in it is refused (exit code 65). A relaunch would ask for the same.",
  result: "FAILURE - refs/zuul/master/Z0 does not exist in nova at git.example.org",
  keeps: "container, exit code",
  find: whenCheckoutFailed(CHECKOUT_EXIT_CODES.ref, "FAILURE - "),
  isChance: true,
} as const satisfies VerdictRule;

export const datasetCopy = {
  id: "dataset-copy",
  class: "configuration",
  seen: "The image of a dataset could not be copied: its directory is not there, or its files cannot be read by the pod's user.",
  result: "CONFIG_ERROR - image of the dataset - cp - can not stat /data/. - No such file or directory",
  keeps: "container, exit code, reason",
  find: ({ state }) => {
    if (state.kind !== "not-started" || state.container !== DATASET_CONTAINER) return undefined;
    const { terminated } = state;
    if (isStartFailure(terminated) || terminated.reason === "OOMKilled") return undefined;
    const said = firstLine(terminated.message ?? "") || endOf(terminated);
    return { sentence: `image of the dataset - ${said}`, evidence: { container: state.container, ...exitEvidence(terminated) } };
  },
} as const satisfies VerdictRule;

export const checkoutFailed = {
  id: "checkout-failed",
  class: "infrastructure",
  seen: "The checkout's network failed, retries included, or Zuul's merger lacks the branch, tag or commit that was pushed (exit code 69), or the checkout ended in any other way.",
  result: null,
  keeps: "container, exit code",
  find: whenCheckoutFailed(undefined, "checkout failed - "),
} as const satisfies VerdictRule;
