import { StoreError } from "../log-store.ts";

/** Errors of S3 by their codes: what is wrong with our side, and the remedy. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const REMEDIES: Record<string, string> = {
  NoSuchBucket: "Make the bucket, or mend logs.bucket.",
  AccessDenied: "The credentials need the rights to list the bucket and to get, put and delete its objects.",
  AllAccessDisabled: "The bucket's owner has to allow it.",
  InvalidAccessKeyId: "The server does not know the access key: see AWS_ACCESS_KEY_ID, or logs.credentialsDirectory.",
  SignatureDoesNotMatch: "See AWS_SECRET_ACCESS_KEY (or logs.credentialsDirectory), logs.region, and that no proxy changes requests.",
  ExpiredToken: "The credentials have expired: renew them.",
  AuthorizationHeaderMalformed: "See logs.region: it must be the bucket's.",
  PermanentRedirect: "See logs.region and logs.endpoint: the bucket is elsewhere.",
  IllegalLocationConstraintException: "See logs.region: it must be the bucket's.",
  MethodNotAllowed: "See logs.endpoint: it must be an S3 server's, without the bucket.",
  CredentialsProviderError:
    "There are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or logs.credentialsDirectory, or give the pod a role.",
};

const CERTIFICATE = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|HOSTNAME_MISMATCH|INVALID_CA)/;
const FULL = /^(QuotaExceeded|XMinioStorageFull|XMinioAdminBucketQuotaExceeded|InsufficientStorage|StorageFull|InsufficientCapacity)$/;
/** They say that it may go better, whatever the status. */
const PASSING = /^(SlowDown|ServiceUnavailable|InternalError|RequestTimeout|RequestTimeTooSkewed|OperationAborted|Throttl|TooManyRequests)/;

/** What the client has thrown, as it is read here. */
interface Thrown {
  name: string;
  message: string;
  code: string;
  /** Of the answer; undefined where there was none. */
  status: number | undefined;
}

/** An error of the client as a StoreError; `where` is the store's name, `what` a clause behind "could not". */
export function s3Error(error: unknown, where: string, what: string): unknown {
  if (error instanceof StoreError || !(error instanceof Error)) return error;
  const thrown = readThrown(error);
  const said = `the log store ${where} could not ${what}: ${describe(thrown)}`;
  if (CERTIFICATE.test(thrown.code)) {
    return new StoreError("TH_STORE_REFUSED", `${said}. Name the authority of the server's certificate in logs.caFile.`, { cause: error });
  }
  if (FULL.test(thrown.name) || thrown.status === 507) {
    return new StoreError("TH_STORE_FULL", `${said}. Make room there, or lower logs.retention.`, { cause: error, retryable: true });
  }
  if (isPassing(thrown)) return new StoreError("TH_STORE_AWAY", `${said}${advice(thrown)}`, { cause: error, retryable: true });
  return new StoreError(
    "TH_STORE_REFUSED",
    `${said}. ${REMEDIES[thrown.name] ?? "See logs.endpoint, and what the server says in its log."}`,
    {
      cause: error,
    },
  );
}

/** Whether the answer says that there is no such object. */
export function isMissing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, status } = readThrown(error);
  // HEAD has no body that could name the error; a missing bucket is 404 too and is none of the object's.
  return status === 404 && name !== "NoSuchBucket" && name !== "NoSuchUpload";
}

export function hasName(error: unknown, ...names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? readThrown(error).status : undefined;
}

/** No answer, one that the server could not give now, or one that is no S3 server's: a proxy's page while that behind it is away. */
function isPassing({ name, status }: Thrown): boolean {
  if (name in REMEDIES) return false;
  if (status === undefined || status >= 500 || status === 408 || status === 429) return status !== 501;
  return PASSING.test(name);
}

function advice({ name }: Thrown): string {
  return name === "RequestTimeTooSkewed" ? ". This machine's clock and the server's differ: set them." : "";
}

function describe({ name, message, code, status }: Thrown): string {
  if (status === undefined) return code === "" || message.includes(code) ? message || name : `${message} (${code})`;
  const text = message === "" || message === name || message === "UnknownError" ? "" : ` - ${message.slice(0, 300)}`;
  return `${status} ${name}${text}`;
}

function readThrown(error: Error): Thrown {
  const { $metadata, code, cause } = error as Error & {
    $metadata?: { httpStatusCode?: number };
    code?: unknown;
    cause?: { code?: unknown };
  };
  const known = [code, cause?.code].find((each) => typeof each === "string");
  return { name: error.name, message: error.message, code: (known as string | undefined) ?? "", status: $metadata?.httpStatusCode };
}
