import type { ReviewedObject, TemplateReview } from "../../core/job/template-review.ts";
import { isQuotaFull } from "../../core/kubernetes/quota.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { isAlreadyExists } from "../client/kube-error.ts";
import { isObjectRefused, renderRefusal } from "../client/refusal.ts";
import { JOBS, PODS } from "../client/resource.ts";

/** More would be no help to anybody, and a status has its limits. */
const MAX_WARNINGS = 10;

/** A webhook that would do something cannot be asked by a dry run: the API server then refuses to. */
const NO_DRY_RUN = /does not support dry run|dryRun is not supported/i;

/** Asks the API server, by dry runs, what it would make of objects; nothing is stored. */
export class TemplateReviewer {
  readonly #client: KubeClient;

  constructor({ client }: { client: KubeClient }) {
    this.#client = client;
  }

  /** Stops at the first refusal. A quota that is merely used up refuses nothing. @throws KubeError when the server did not say */
  async review(objects: readonly ReviewedObject[], signal: AbortSignal): Promise<TemplateReview> {
    const warnings = new Set<string>();
    for (const { kind, object, of } of objects) {
      const onWarning = (text: string) => void (warnings.size < MAX_WARNINGS && warnings.add(text));
      try {
        const resource = kind === "Job" ? JOBS : PODS;
        await this.#client.create(resource, object.metadata.namespace, object, { dryRun: true, onWarning, signal });
      } catch (error) {
        if (isAlreadyExists(error)) continue;
        if (!isObjectRefused(error) || NO_DRY_RUN.test(error.message)) throw error;
        if (isQuotaFull(error.message)) continue;
        return { kind: "refused", message: `its ${kind}${of}: ${renderRefusal(error)}`, warnings: [...warnings] };
      }
    }
    return { kind: "accepted", warnings: [...warnings] };
  }
}
