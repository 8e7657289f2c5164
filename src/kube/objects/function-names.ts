import { INSTALLATION_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from "../../core/kubernetes/labels.ts";
import type { KubeObject } from "../../core/kubernetes/objects.ts";
import { parseRegisteredNames, type RegisteredNames, renderRegisteredNames } from "../../core/test-task/registered-names.ts";
import type { KubeClient } from "../client/kube-client.ts";
import { isNotFound } from "../client/kube-error.ts";
import { CONFIG_MAPS } from "../client/resource.ts";

type ConfigMap = KubeObject & { data?: Record<string, string> };

const KEY = "functions";

/** Keeps the names of an installation's functions over restarts, in the ConfigMap `<installation>-functions`. */
export class FunctionNames {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #installation: string;
  /** Of the ConfigMap as it was loaded or written last. */
  #resourceVersion: string | undefined;

  constructor(options: { client: KubeClient; namespace: string; installation: string }) {
    this.#client = options.client;
    this.#namespace = options.namespace;
    this.#installation = options.installation;
  }

  /** The API server's clock. */
  now(): Date {
    return this.#client.now();
  }

  get #name(): string {
    return `${this.#installation}-functions`;
  }

  /** @throws KubeError */
  async load(signal: AbortSignal): Promise<RegisteredNames> {
    try {
      const { data, metadata } = await this.#client.get<Partial<ConfigMap>>(CONFIG_MAPS, this.#namespace, this.#name, { signal });
      this.#resourceVersion = metadata?.resourceVersion;
      return parseRegisteredNames(data?.[KEY]);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#resourceVersion = undefined;
      return new Map();
    }
  }

  /** Writes over what was loaded last: another version of it is a conflict. @throws KubeError */
  async save(names: RegisteredNames, signal: AbortSignal): Promise<void> {
    const data = { [KEY]: renderRegisteredNames(names) };
    const version = this.#resourceVersion === undefined ? {} : { metadata: { resourceVersion: this.#resourceVersion } };
    try {
      await this.#client.mergePatch(CONFIG_MAPS, this.#namespace, this.#name, { ...version, data }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#create(data, signal);
    }
  }

  async #create(data: Record<string, string>, signal: AbortSignal): Promise<void> {
    const labels = { [MANAGED_BY_LABEL]: MANAGED_BY, [INSTALLATION_LABEL]: this.#installation };
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: this.#name, labels }, data };
    await this.#client.create(CONFIG_MAPS, this.#namespace, body, { signal });
  }
}
