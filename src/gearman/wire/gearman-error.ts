import { TurboHipsterError } from "../../runtime/errors.ts";

const GEARMAN_ERROR_CODES = [
  /** The peer sent bytes that are not Gearman, or a packet that makes no sense here. The connection is destroyed. */
  "TH_GEARMAN_PROTOCOL",
  /** No connection came about: refused, unknown host, no answer in time. */
  "TH_GEARMAN_CONNECT",
  /** The connection was there and is gone. */
  "TH_GEARMAN_LOST",
  /** The peer is connected but did not answer in time. */
  "TH_GEARMAN_SILENT",
  /** The peer takes nothing off the connection: what waits to be sent passed its limit. */
  "TH_GEARMAN_BACKLOG",
  /** We closed it. */
  "TH_GEARMAN_STOPPED",
  /** A function name or field that cannot be put into a packet. */
  "TH_GEARMAN_ARGUMENT",
  /** The server answered with an ERROR packet. */
  "TH_GEARMAN_REFUSED",
  /** An error of our own while handling a packet; the cause has it. The connection is destroyed, because its state is unknown. */
  "TH_GEARMAN_INTERNAL",
] as const;
type GearmanErrorCode = (typeof GEARMAN_ERROR_CODES)[number];

const RETRYABLE: ReadonlySet<GearmanErrorCode> = new Set(["TH_GEARMAN_CONNECT", "TH_GEARMAN_LOST", "TH_GEARMAN_SILENT"]);

/** Everything that can go wrong on a Gearman connection; `code` says what. */
export class GearmanError extends TurboHipsterError {
  declare readonly code: GearmanErrorCode;

  constructor(code: GearmanErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause, retryable: RETRYABLE.has(code) });
  }
}

/** For bytes from the peer that break the protocol. */
export function protocolViolation(message: string): GearmanError {
  return new GearmanError("TH_GEARMAN_PROTOCOL", message);
}
