import { InputError } from "../../runtime/errors.ts";
import { ApiError } from "./build-api.ts";

/** How the operator that `--url` names is reached; for `--help`. */
export const REACH_HELP = `The operator is asked at its public port. Without an address of your own for that:
  kubectl --namespace NAMESPACE port-forward service/turbo-hipster 8080:http`;

/** What a command that asks the operator says of a failure. Throws a defect of ours again. */
export function renderApiFailure(command: string, error: unknown): string {
  if (!(error instanceof ApiError || error instanceof InputError)) throw error;
  const remedy = error.code === "TH_API_AWAY" ? ". Name the operator's public port with --url; --help says how to reach it" : "";
  return `turbo-hipster ${command}: ${error.message}${remedy}`;
}
