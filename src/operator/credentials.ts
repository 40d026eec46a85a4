/**
 * The first account's key on this host's disk (0600), and the shell text that hands it to the AWS
 * tools.
 *
 * The file is a copy for the operator; the record in the store is what signatures are checked
 * against.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { replaceFile } from '../lib/files.ts'
import { below } from '../lib/paths.ts'
import { unavailable } from '../model/errors.ts'
import type { AccessKey } from '../model/records.ts'

const credentialsSchema = z.object({
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  region: z.string(),
  endpoint: z.string(),
  /** CA certificates that the endpoint is verified by; null: those that a client trusts anyway. */
  caFile: z.string().nullable().default(null),
})

/** What a client needs to call this host's API. */
export type Credentials = z.output<typeof credentialsSchema>

function credentialsFile(stateDir: string): string {
  return below(stateDir, 'credentials.json')
}

/**
 * Writes the file so that it is whole or absent, readable by root only. One that says just this
 * already is left alone: a full disk must not keep a daemon from starting.
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

/** Reads the file back; rejects, saying what to do, when it is absent, unreadable or damaged. */
export async function readCredentials(stateDir: string): Promise<Credentials> {
  const file = credentialsFile(stateDir)
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unavailable(`${file} cannot be read: atolld writes it when it starts, for root`, error)
  })
  const credentials = credentialsSchema.safeParse(parseJson(text))
  if (credentials.success) return credentials.data
  throw unavailable(`${file} is damaged: remove it and restart atolld, which writes it anew`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Exports for `eval "$(atoll env)"`. AWS_CA_BUNDLE is for the CLI and boto3, NODE_EXTRA_CA_CERTS
 * for the SDK for JavaScript. AWS_ENDPOINT_URL is understood by AWS CLI 1.29, 2.13 and boto3 1.28
 * onwards; older ones (Debian 12's) want `--endpoint-url`.
 */
export function environmentText(credentials: Credentials): string {
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
    '# Debian 12\'s awscli 2.9 does not read AWS_ENDPOINT_URL: aws --endpoint-url "$AWS_ENDPOINT_URL" ec2 describe-instances',
  ].join('\n')
}
