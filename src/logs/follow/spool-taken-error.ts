import { TurboHipsterError } from "../../runtime/errors.ts";

/** Another process writes the spool. Whoever had it before writes no more; what it has written since is not read. */
export class SpoolTakenError extends TurboHipsterError {
  constructor(directory: string) {
    super("TH_LOG_SPOOL_TAKEN", `${directory}: another process writes this log, or it was removed`);
  }
}
