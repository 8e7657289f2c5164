import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { join } from "node:path";
import { getCACertificates } from "node:tls";
import { S3Client } from "@aws-sdk/client-s3";
import { InputError } from "../../../runtime/errors.ts";

export interface S3ClientOptions {
  /** Of a server that is not Amazon's. */
  endpoint: string | undefined;
  region: string;
  /** The bucket in the path and not in the server's name. */
  pathStyle: boolean;
  /** PEM of authorities to be trusted beside those that this program trusts anyway. */
  caFile: string | undefined;
  /** A Secret as files, `AWS_ACCESS_KEY_ID` and so on; without it, credentials are found as every program with Amazon's SDK finds them. */
  credentialsDirectory: string | undefined;
}

/** Connections; more requests wait in line. */
const MAX_SOCKETS = 32;
const CONNECT_MS = 10_000;
/** Without a byte either way. */
const SILENCE_MS = 30_000;
/** Until the answer begins. */
const REQUEST_MS = 5 * 60_000;
/** A Secret that has changed is seen within a minute: the SDK asks again five minutes before credentials end. */
const CREDENTIALS_MS = 6 * 60_000;

/**
 * A client without retries of its own: its pauses can't be ended, and know no clock but the machine's. Proxies are those of HTTPS_PROXY,
 * HTTP_PROXY and NO_PROXY. Throws InputError for a file that can't be read.
 */
export function makeS3Client(options: S3ClientOptions): S3Client {
  const { endpoint, region, pathStyle, caFile, credentialsDirectory } = options;
  const agent = { keepAlive: true, maxSockets: MAX_SOCKETS, proxyEnv: process.env };
  return new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: pathStyle,
    maxAttempts: 1,
    // Bodies are signed, so that they are checked anyway; older servers of others do not know the newer checksums.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    ...(credentialsDirectory === undefined ? {} : { credentials: () => readCredentials(credentialsDirectory) }),
    requestHandler: {
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...(caFile === undefined ? {} : { ca: [...getCACertificates("default"), readCa(caFile)] }) }),
      connectionTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      requestTimeout: REQUEST_MS,
      throwOnRequestTimeout: true,
    },
  });
}

function readCa(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new InputError(`cannot read logs.caFile ${path}: ${(error as NodeJS.ErrnoException).code}`, { cause: error });
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----")) throw new InputError(`logs.caFile ${path} holds no certificate in PEM`);
  return text;
}

async function readCredentials(directory: string) {
  const read = (name: string) => readFile(join(directory, name), "utf8").then((text) => text.trim());
  try {
    const [accessKeyId, secretAccessKey] = await Promise.all([read("AWS_ACCESS_KEY_ID"), read("AWS_SECRET_ACCESS_KEY")]);
    const sessionToken = await read("AWS_SESSION_TOKEN").catch(() => undefined);
    return {
      accessKeyId,
      secretAccessKey,
      ...(sessionToken ? { sessionToken } : {}),
      expiration: new Date(Date.now() + CREDENTIALS_MS),
    };
  } catch (error) {
    throw Object.assign(new Error(`cannot read the credentials in ${directory} (logs.credentialsDirectory): ${(error as Error).message}`), {
      name: "CredentialsProviderError",
      cause: error,
    });
  }
}
