/** Check of `atoll doctor`: who owns the files that make this host a part of the cloud. */
import type { Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from '../config.ts'
import { certificateFiles } from '../lib/certificates.ts'
import { below } from '../lib/paths.ts'
import { type CheckResult, fail, ok } from './doctor-check.ts'

const OTHERS_WRITE = 0o022
const OTHERS_READ_OR_WRITE = 0o077
/** Debian gives private keys of services to a group (ssl-cert). */
const ALL_READ_OR_GROUP_WRITES = 0o027

interface Owned {
  readonly file: string
  /** Permissions that nobody may have. */
  readonly forbidden: number
  /** What is possible to those who have them. */
  readonly harm: string
}

/**
 * Whether anybody but root may write the configuration, with which programs are run as root, or
 * read a secret. Files that do not exist are not this check's concern.
 */
export async function checkFiles(config: Config, configFile: string): Promise<CheckResult> {
  const found = await Promise.all(filesOf(config, configFile).map(problemOf))
  const problems = found.flatMap((one) => one ?? [])
  return problems.length === 0
    ? ok('only root can change the configuration and read the secrets')
    : fail(problems.map(({ what }) => what).join('; '), problems.map(({ fix }) => fix).join('; '))
}

function filesOf(config: Config, configFile: string): readonly Owned[] {
  const { cluster, store, bus, images, api, tls, stateDir } = config
  const secret = (file: string | null, forbidden = OTHERS_READ_OR_WRITE) =>
    file === null ? [] : [{ file, forbidden, harm: 'read or change a secret' }]
  const change = { forbidden: OTHERS_WRITE, harm: 'change what atolld does as root' }
  return [
    { file: configFile, ...change },
    { file: dirname(configFile), ...change },
    ...[cluster.secretFile, store.passwordFile, bus.passwordFile, images.s3.secretFile].flatMap(
      (file) => secret(file),
    ),
    ...secret(api.tls.keyFile, ALL_READ_OR_GROUP_WRITES),
    ...secret(certificateFiles(tls.directory).key),
    ...['cloud.key', 'credentials.json'].flatMap((name) => secret(below(stateDir, name))),
  ]
}

async function problemOf({ file, forbidden, harm }: Owned) {
  const stats: Stats | null = await stat(file).catch(() => null)
  if (stats === null) return null
  // A file of the user that runs this is for a daemon of theirs.
  const isForeign = stats.uid !== 0 && stats.uid !== process.getuid?.()
  const open = stats.mode & forbidden
  if (!isForeign && open === 0) return null
  const who = isForeign ? `user ${stats.uid} owns` : 'others may use'
  const mode = (stats.mode & ~forbidden & 0o777).toString(8)
  const orders = [
    ...(isForeign ? [`chown root:root ${file}`] : []),
    ...(open === 0 ? [] : [`chmod ${mode} ${file}`]),
  ]
  return { what: `${who} ${file}, and can ${harm}`, fix: orders.join('; ') }
}
