import type { KubeClient } from "../client/kube-client.ts";
import { isForbidden, isNotFound } from "../client/kube-error.ts";
import { SECRETS } from "../client/resource.ts";

/** Reads the values of single Secrets: those that a pod of a build names, so that they can be masked in its log. */
export class SecretValues {
  readonly #client: KubeClient;

  constructor({ client }: { client: KubeClient }) {
    this.#client = client;
  }

  /** By key; undefined where there is none, "refused" where it may not be read. @throws KubeError when the server did not say */
  async of(namespace: string, name: string): Promise<ReadonlyMap<string, Uint8Array> | "refused" | undefined> {
    try {
      const { data = {} } = await this.#client.get<{ data?: Record<string, string> }>(SECRETS, namespace, name);
      return new Map(Object.entries(data).map(([key, text]) => [key, Buffer.from(text, "base64")]));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      if (isForbidden(error)) return "refused";
      throw error;
    }
  }
}
