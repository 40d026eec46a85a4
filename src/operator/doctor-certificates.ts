/** Checks of `atoll doctor`: certificates, and what is not encrypted. Changes nothing. */
import { stat } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { certificateFacts, certificateFiles } from '../lib/certificates.ts'
import { type CheckResult, fail, ok, warn } from './doctor-check.ts'

/** atolld renews its certificates when a third of their 90 days is left. */
const SOON_DAYS = 21
const DAY_MS = 24 * 3600 * 1000
/** Clients that are not root must be able to read the CA certificate. */
const OTHERS_READ = 0o004

/** How long the certificates of this host are valid, and whether clients can verify them. */
export async function checkCertificates({ tls, api }: Config): Promise<CheckResult> {
  const { ca, cert } = certificateFiles(tls.directory)
  const nowMs = Date.now()
  const given = api.tls.certificateFile
  const files = [ca, cert, ...(given === null ? [] : [given])]
  const facts = await Promise.all(
    files.map(async (file) => ({ file, facts: await certificateFacts(file, nowMs) })),
  )
  const lines = facts.map(({ file, facts: one }) =>
    one === null ? `${file} cannot be read` : `${file}: ${one.daysLeft} days left`,
  )
  const found = lines.join('; ')
  const fix = `start atolld, which issues and renews the certificates in ${tls.directory}; if they are not renewed, its log says why`
  if (facts.some(({ facts: one }) => one === null || one.daysLeft < 0)) return fail(found, fix)
  if (facts.some(({ facts: one }) => (one?.notBefore.getTime() ?? 0) > nowMs + DAY_MS))
    return fail(`${found}; not valid yet`, 'set the clock of this machine')
  if (facts.some(({ facts: one }) => (one?.daysLeft ?? 0) < SOON_DAYS)) return warn(found, fix)
  const { mode } = await stat(ca)
  return (mode & OTHERS_READ) === 0
    ? warn(
        `${found}; only root can read ${ca}`,
        `chmod 644 ${ca}: clients need it to verify the API`,
      )
    : ok(found)
}

/** Whether passwords and records cross the network unencrypted. */
export function checkEngineTls({ store, bus }: Config): CheckResult {
  const open = [
    ...(store.kind !== 'sqlite' && store.tls.mode === 'off' ? ['store.tls.mode'] : []),
    ...(bus.kind !== 'local' && bus.tls.mode === 'off' ? ['bus.tls.mode'] : []),
  ]
  return open.length === 0
    ? ok('connections to engines on other machines use verified TLS')
    : warn(
        `${open.join(' and ')} is off: passwords and records can be read on the network`,
        `give the engines certificates, then remove ${open.join(' and ')} from the configuration`,
      )
}

/** Whether access keys are encrypted in the records. */
export function checkKeySealing({ store, cluster }: Config): CheckResult {
  return store.kind === 'sqlite' || cluster.secretFile !== null
    ? ok('access keys are encrypted in the records')
    : warn(
        'access keys are stored unencrypted in the records',
        'set cluster.secretFile to the same secret on all hosts that share the database',
      )
}
