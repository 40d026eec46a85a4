/**
 * The access key of the first account, in a file on this host (0600), and the shell text that gives
 * it to AWS tools.
 *
 * The file is a copy for the operator. Signatures are checked against the record.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { hasCode } from '../lib/errno.ts'
import { replaceFile } from '../lib/files.ts'
import { parseJson } from '../lib/json.ts'
import { below } from '../lib/paths.ts'
import type { AccessKey } from '../model/account-records.ts'
import { messageOf, unavailable } from '../model/errors.ts'

const credentialsSchema = z.object({
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  region: z.string(),
  endpoint: z.string(),
  /** File with the CA certificates of the endpoint; null: the client's system has them. */
  caFile: z.string().nullable().default(null),
})

/** What a client needs to call this host's API. */
export type Credentials = z.output<typeof credentialsSchema>

function credentialsFile(stateDir: string): string {
  return below(stateDir, 'credentials.json')
}

/**
 * Writes the file, readable by root only. It is complete or absent. A file with this content is
 * left alone: a full disk must not keep the daemon from starting.
 */
export async function writeCredentials(
  stateDir: string,
  key: AccessKey,
  where: Pick<Credentials, 'region' | 'endpoint' | 'caFile'>,
): Promise<void> {
  const file = credentialsFile(stateDir)
  const credentials: Credentials = { accessKeyId: key.id, secretAccessKey: key.secret, ...where }
  const text = `${JSON.stringify(credentials, null, 2)}\n`
  if ((await readFile(file, 'utf8').catch(() => null)) === text) return
  await replaceFile(file, text, 0o600)
}

/**
 * Reads the file. Errors: `unavailable` when it is absent, unreadable or damaged; the message says
 * what to do.
 */
export async function readCredentials(stateDir: string): Promise<Credentials> {
  const file = credentialsFile(stateDir)
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unavailable(whyUnreadable(file, error), error)
  })
  const credentials = credentialsSchema.safeParse(parseJson(text))
  if (credentials.success) return credentials.data
  throw unavailable(`${file} is damaged: remove it and restart atolld, which writes it again`)
}

function whyUnreadable(file: string, error: unknown): string {
  if (hasCode(error, 'EACCES')) return `only root may read ${file}: use sudo`
  return hasCode(error, 'ENOENT')
    ? `there is no ${file}: atolld writes it when it starts. Start it with: systemctl start atolld (or again: scripts/quickstart)`
    : `${file} cannot be read (${messageOf(error)})`
}

/**
 * Exports for `eval "$(atoll env)"`. AWS_CA_BUNDLE is for the CLI and boto3, NODE_EXTRA_CA_CERTS
 * for the SDK for JavaScript. AWS_ENDPOINT_URL is read by AWS CLI 1.29, 2.13 and boto3 1.28
 * onwards; older ones (Debian 12's) need `--endpoint-url`.
 *
 * A shell with HTTPS_PROXY would send calls for this host to the proxy, so the endpoint's host is
 * added to NO_PROXY. The shell that evaluates the text does this, because `sudo atoll env` does not
 * see the variables of that shell. Both spellings are set: where both are set, Python reads the
 * lower-case one only.
 */
export function environmentText(credentials: Credentials): string {
  const { hostname } = new URL(credentials.endpoint)
  return [
    `export AWS_ACCESS_KEY_ID=${credentials.accessKeyId}`,
    `export AWS_SECRET_ACCESS_KEY=${credentials.secretAccessKey}`,
    `export AWS_DEFAULT_REGION=${credentials.region}`,
    `export AWS_REGION=${credentials.region}`,
    `export AWS_ENDPOINT_URL=${credentials.endpoint}`,
    ...(credentials.caFile === null
      ? []
      : [
          `export AWS_CA_BUNDLE=${credentials.caFile}`,
          `export NODE_EXTRA_CA_CERTS=${credentials.caFile}`,
        ]),
    '# Calls to this host do not go through a proxy:',
    `no_proxy=\${no_proxy:-\${NO_PROXY:-}}`,
    `case ",$no_proxy," in *,${hostname},* | ",*,") ;; *) no_proxy=\${no_proxy:+$no_proxy,}${hostname} ;; esac`,
    'export no_proxy NO_PROXY="$no_proxy"',
    '# Debian 12\'s awscli 2.9 does not read AWS_ENDPOINT_URL: aws --endpoint-url "$AWS_ENDPOINT_URL" ec2 describe-instances',
  ].join('\n')
}
