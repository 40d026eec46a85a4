/** The doctor's look at certificates, and at what goes over the network without them. */
import { stat } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { certificateFacts, certificateFiles } from '../lib/certificates.ts'
import { fail, ok, type Verdict, warn } from './verdict.ts'

/** Ours are renewed with a third of their 90 days left. */
const SOON_DAYS = 21
const DAY_MS = 24 * 3600 * 1000
/** A certificate that is not read by others cannot be verified by them. */
const OTHERS_READ = 0o004

/** How long the certificates of this host are good, and who can verify them. */
export async function checkCertificates({ tls, api }: Config): Promise<Verdict> {
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
  const fix = `atolld makes and renews those in ${tls.directory}: start it, and see in its log why it could not`
  if (facts.some(({ facts: one }) => one === null || one.daysLeft < 0)) return fail(found, fix)
  if (facts.some(({ facts: one }) => (one?.notBefore.getTime() ?? 0) > nowMs + DAY_MS))
    return fail(`${found}; not valid yet`, 'set the clock of this machine')
  if (facts.some(({ facts: one }) => (one?.daysLeft ?? 0) < SOON_DAYS)) return warn(found, fix)
  const { mode } = await stat(ca)
  return (mode & OTHERS_READ) === 0
    ? warn(`${found}; ${ca} is for root only`, `chmod 644 ${ca}, for clients that verify the API`)
    : ok(found)
}

/** Whether passwords and records go over the network in clear. */
export function checkEngineTls({ store, bus }: Config): Verdict {
  const open = [
    ...(store.kind !== 'sqlite' && store.tls.mode === 'off' ? ['store.tls.mode'] : []),
    ...(bus.kind !== 'local' && bus.tls.mode === 'off' ? ['bus.tls.mode'] : []),
  ]
  return open.length === 0
    ? ok('connections to engines on other machines use verified TLS')
    : warn(
        `${open.join(' and ')} is off: passwords and records can be read on the network`,
        `take ${open.join(' and ')} out of the configuration, once the engines have certificates`,
      )
}

/** Whether access keys are sealed in the records. */
export function checkKeySealing({ store, cluster }: Config): Verdict {
  return store.kind === 'sqlite' || cluster.secretFile !== null
    ? ok('access keys are sealed in the records')
    : warn(
        'access keys are stored unencrypted in the records',
        'set cluster.secretFile, alike on all hosts that share the database',
      )
}
