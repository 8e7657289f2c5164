import type { KubeObject } from "../core/kubernetes-objects.ts";
import { INSTALLATION_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from "../core/names.ts";
import { parseServedNames, renderServedNames, type ServedNames } from "../core/served-names.ts";
import type { KubeClient } from "./kube-client.ts";
import { isAlreadyExists, isNotFound } from "./kube-error.ts";
import { CONFIG_MAPS } from "./resource.ts";

type ConfigMap = KubeObject & { data?: Record<string, string> };

const KEY = "functions";

/** Keeps the names of an installation's functions over restarts, in the ConfigMap `<installation>-functions`. */
export class FunctionNames {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #installation: string;

  constructor(options: { client: KubeClient; namespace: string; installation: string }) {
    this.#client = options.client;
    this.#namespace = options.namespace;
    this.#installation = options.installation;
  }

  get #name(): string {
    return `${this.#installation}-functions`;
  }

  /** @throws KubeError */
  async load(signal: AbortSignal): Promise<ServedNames> {
    try {
      return parseServedNames((await this.#client.get<ConfigMap>(CONFIG_MAPS, this.#namespace, this.#name, { signal })).data?.[KEY]);
    } catch (error) {
      if (isNotFound(error)) return new Map();
      throw error;
    }
  }

  /** @throws KubeError */
  async save(names: ServedNames, signal: AbortSignal): Promise<void> {
    const data = { [KEY]: renderServedNames(names) };
    try {
      await this.#client.mergePatch(CONFIG_MAPS, this.#namespace, this.#name, { data }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#create(data, signal);
    }
  }

  async #create(data: Record<string, string>, signal: AbortSignal): Promise<void> {
    const labels = { [MANAGED_BY_LABEL]: MANAGED_BY, [INSTALLATION_LABEL]: this.#installation };
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: this.#name, labels }, data };
    try {
      await this.#client.create(CONFIG_MAPS, this.#namespace, body, { signal });
    } catch (error) {
      // Another replica was quicker; what it wrote is read at the next save, which comes with the next change.
      if (!isAlreadyExists(error)) throw error;
    }
  }
}
