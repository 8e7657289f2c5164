import type { RightQuestion } from "../../core/kubernetes/needed-rights.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { SELF_SUBJECT_ACCESS_REVIEWS, SELF_SUBJECT_REVIEWS } from "../client/resource.ts";

/** Asks the API server about whoever asks. Kubernetes lets everybody (`system:basic-user`). Both reject with a KubeError. */
export class OwnRights {
  readonly #client: KubeClient;

  constructor({ client }: { client: KubeClient }) {
    this.#client = client;
  }

  /** The name by which it is known; undefined where the server does not say. */
  async user(signal: AbortSignal): Promise<string | undefined> {
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    const { status } = await this.#client.create<{ status?: { userInfo?: { username?: unknown } } }>(
      SELF_SUBJECT_REVIEWS,
      undefined,
      review,
      { signal },
    );
    const username = status?.userInfo?.username;
    return typeof username === "string" && username !== "" ? username : undefined;
  }

  /** https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/ */
  async isAllowed({ right, verb, namespace }: RightQuestion, signal: AbortSignal): Promise<boolean> {
    const { group, resource, subresource, name } = right;
    const resourceAttributes = { group, resource, subresource, name, verb, namespace };
    const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes } };
    const { status } = await this.#client.create<{ status?: { allowed?: unknown } }>(SELF_SUBJECT_ACCESS_REVIEWS, undefined, review, {
      signal,
    });
    return status?.allowed === true;
  }
}
