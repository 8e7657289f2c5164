import { join } from "node:path";
import { runCommand } from "../../tools/machine/run-command.ts";

/** A certificate to make: `<file>.crt` and `<file>.key` in the cluster's pki directory. */
export interface CertificateRequest {
  file: string;
  /** Kubernetes takes the user from CN and the groups from O. */
  subject: string;
  /** For a server: the names and addresses it is reached under, as openssl writes them (`DNS:...`, `IP:...`). */
  alternativeNames?: readonly string[];
}

const DAYS = "3650";
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];

/** Makes `ca.crt`, the certificates it signs, and the key pair that signs service account tokens. */
export async function makeCertificates(directory: string, requests: readonly CertificateRequest[]): Promise<void> {
  const openssl = (...args: string[]) => runCommand("openssl", args, { cwd: directory });
  await openssl(
    ...["req", "-x509", ...NEW_KEY, "-keyout", "ca.key", "-out", "ca.crt", "-days", DAYS, "-subj", "/CN=turbo-hipster local cluster"],
    ...["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
  );
  await Promise.all([
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "service-accounts.key").then(() =>
      openssl("pkey", "-in", "service-accounts.key", "-pubout", "-out", "service-accounts.pub"),
    ),
    ...requests.map(({ file, subject, alternativeNames }) =>
      openssl(
        ...[
          "req",
          "-x509",
          "-CA",
          "ca.crt",
          "-CAkey",
          "ca.key",
          ...NEW_KEY,
          "-keyout",
          `${file}.key`,
          "-out",
          `${file}.crt`,
          "-days",
          DAYS,
        ],
        ...["-subj", subject, "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature"],
        ...["-addext", `extendedKeyUsage=clientAuth${alternativeNames ? ",serverAuth" : ""}`],
        ...(alternativeNames ? ["-addext", `subjectAltName=${alternativeNames.join(",")}`] : []),
      ),
    ),
  ]);
}

export function certificatePaths(directory: string, file: string): { certificate: string; key: string } {
  return { certificate: join(directory, `${file}.crt`), key: join(directory, `${file}.key`) };
}
