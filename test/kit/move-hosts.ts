/** Two hosts of a cluster between which instances move: their certificates. */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { certificateFiles, ensureCertificates } from '../../src/lib/certificates.ts'
import type { HostName } from '../../src/model/ids.ts'
import type { MoveIdentity } from '../../src/workloads/moves/sender.ts'

const SECRET = 'a secret of the cluster that is long enough'

/** How a host of the cluster with this secret shows itself. Its files are below `dir`. */
export async function identityOf(
  dir: string,
  name: HostName,
  secret = SECRET,
): Promise<MoveIdentity> {
  const directory = join(dir, `tls-${name}-${secret.length}`)
  const identity = { names: [name], addresses: ['127.0.0.1'] }
  await mkdir(directory, { recursive: true })
  await ensureCertificates({ secret, directory, identity, nowMs: Date.now() })
  const files = certificateFiles(directory)
  const read = (path: string) => readFile(path, 'utf8')
  return { ca: await read(files.ca), cert: await read(files.cert), key: await read(files.key) }
}
