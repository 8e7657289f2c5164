import { readTokenPod, type TokenPod } from "../../core/kubernetes/token-review.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { TOKEN_REVIEWS } from "../client/resource.ts";

/** Asks the API server whose a token is. */
export class TokenReviews {
  readonly #client: KubeClient;

  constructor({ client }: { client: KubeClient }) {
    this.#client = client;
  }

  /**
   * The pod that a token for this audience is bound to; undefined for any other: expired, of another audience, of a pod that is gone, of no
   * pod. @throws KubeError when the server did not say
   */
  async podOf(token: string, audience: string, signal: AbortSignal): Promise<TokenPod | undefined> {
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences: [audience] } };
    const { status } = await this.#client.create<{ status?: unknown }>(TOKEN_REVIEWS, undefined, review, { signal });
    return readTokenPod(status, audience);
  }
}
