/** Certificates for tests, made by openssl(1): an authority and those that it signs. */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** Files (PEM) of a certificate and its key. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** A self-signed authority in `directory`. */
export async function makeAuthority(directory: string, name: string): Promise<Certificate> {
  const files = filesOf(directory, name)
  const out = ['-keyout', files.key, '-out', files.cert, '-subj', `/CN=${name}`]
  await run('openssl', ['req', '-x509', ...NEW_KEY, '-days', '2', ...out])
  return files
}

/** A certificate that the authority has signed, for the IPv4 address. */
export async function makeCertificate(
  directory: string,
  authority: Certificate,
  name: string,
  address = '127.0.0.1',
): Promise<Certificate> {
  const files = filesOf(directory, name)
  const request = join(directory, `${name}.csr`)
  const extensions = join(directory, `${name}.ext`)
  await writeFile(extensions, `subjectAltName=IP:${address}\n`)
  const out = ['-keyout', files.key, '-out', request, '-subj', `/CN=${name}`]
  await run('openssl', ['req', '-new', ...NEW_KEY, ...out])
  const signer = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial']
  const signed = ['-in', request, '-out', files.cert, '-days', '2', '-extfile', extensions]
  await run('openssl', ['x509', '-req', ...signer, ...signed])
  return files
}

function filesOf(directory: string, name: string): Certificate {
  return { cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) }
}
