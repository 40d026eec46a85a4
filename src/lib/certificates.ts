/**
 * Certificates between the hosts of a cluster.
 *
 * Each host derives the same CA key from the cluster's secret (purpose `ca`), makes a CA
 * certificate with it, and issues one certificate to itself. So nothing is handed out: the `ca.crt`
 * of two hosts differ in serial number and signature, but each verifies the other's certificates.
 * The CA key is in no file in clear. The host's own key never changes, so a renewal replaces only
 * the certificate.
 *
 * openssl(1) writes the certificates: every Debian machine has it, and a call takes 7 ms.
 */
import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto'
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { createFile, exists } from './files.ts'
import { deriveKey } from './key-derivation.ts'
import { failureOf, systemRunner } from './runner.ts'

/**
 * The files of a host (PEM): the authority, and the host's certificate and key. The key's mode is
 * 0600.
 */
export interface CertificateFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Who a certificate is for: DNS names and IPv4 addresses. The first name is the common name. */
interface Identity {
  readonly names: readonly string[]
  readonly addresses: readonly string[]
}

/** What a certificate file says. */
export interface CertificateFacts {
  readonly notBefore: Date
  readonly notAfter: Date
  /** Whole days until it expires. Negative if it has expired. */
  readonly daysLeft: number
}

/** The paths of a directory's files. */
export function certificateFiles(directory: string): CertificateFiles {
  const at = (name: string) => join(directory, name)
  return { ca: at('ca.crt'), cert: at('host.crt'), key: at('host.key') }
}

const DAY_MS = 24 * 3600 * 1000
/** How long a host's certificate is valid. It is renewed after two thirds of this time. */
export const CERTIFICATE_DAYS = 90
const AUTHORITY_DAYS = 3650
const AUTHORITY = 'Atoll CA '
/** How far another host's clock may be behind ours. */
const TOLERANCE_DAYS = 1
const PUBLIC = 0o644
const PRIVATE = 0o600
/** Prefix of openssl's working directories. One remains when the host is killed. */
const WORK_PREFIX = '.making-'
const WORK_KEPT_MS = 3600 * 1000

/** Options of `ensureCertificates`. */
export interface CertificateOptions {
  readonly secret: string | Uint8Array
  /** Created with mode 0755 if missing, because everybody may read `ca.crt`. */
  readonly directory: string
  readonly identity: Identity
  readonly nowMs: number
}

/**
 * Checks the files in the directory, and makes those that are missing or invalid. They must belong
 * together and to this secret and identity, and have a third of their lifetime left. Files of
 * another CA are left alone. Two programs may call it at once. `issued` says whether a new
 * certificate was made. Errors: those of the file system and of openssl, and invalid names or
 * addresses.
 */
export async function ensureCertificates(
  options: CertificateOptions,
): Promise<{ readonly issued: boolean; readonly certificate: CertificateFacts }> {
  const { directory, identity, nowMs } = options
  checkIdentity(identity)
  const files = certificateFiles(directory)
  const authority = authorityKey(options.secret)
  await mkdir(directory, { recursive: true, mode: 0o755 })
  await removeOldWork(directory, nowMs)
  const existingAuthority = await readCertificate(files.ca)
  const existing = await readCertificate(files.cert)
  if (existingAuthority !== null && !existingAuthority.subject.startsWith(`CN=${AUTHORITY}`)) {
    if (existing !== null) return { issued: false, certificate: factsOf(existing, nowMs) }
    throw new Error(
      `${files.ca} belongs to another CA, but ${files.cert} is missing: put that CA's certificate for this host there, or remove ${files.ca}`,
    )
  }
  const key = await ensureKey(files.key)
  const hasAuthority = isGoodAuthority(existingAuthority, authority, nowMs)
  if (hasAuthority && existing !== null && isGood(existing, authority, key, identity, nowMs))
    return { issued: false, certificate: factsOf(existing, nowMs) }
  const work = await mkdtemp(join(directory, WORK_PREFIX))
  try {
    const made = await issue(work, { ...options, authority, key })
    if (!hasAuthority) await install(made.ca, files.ca)
    await install(made.cert, files.cert)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  const fresh = await readCertificate(files.cert)
  if (fresh === null) throw new Error(`${files.cert} cannot be read after it was written`)
  return { issued: true, certificate: factsOf(fresh, nowMs) }
}

/** Reads the certificate in a file (PEM; the first of a chain). Null when it is unreadable. */
export async function certificateFacts(
  file: string,
  nowMs: number,
): Promise<CertificateFacts | null> {
  const certificate = await readCertificate(file)
  return certificate === null ? null : factsOf(certificate, nowMs)
}

function factsOf({ validFromDate, validToDate }: X509Certificate, nowMs: number): CertificateFacts {
  const daysLeft = Math.floor((validToDate.getTime() - nowMs) / DAY_MS)
  return { notBefore: validFromDate, notAfter: validToDate, daysLeft }
}

async function readCertificate(file: string): Promise<X509Certificate | null> {
  try {
    return new X509Certificate(await readFile(file))
  } catch {
    return null
  }
}

/** They become part of the program's configuration as text. */
function checkIdentity({ names, addresses }: Identity): void {
  const badName = names.find((one) => !/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/i.test(one))
  if (names.length === 0 || badName !== undefined)
    throw new Error(
      `"${badName ?? ''}" cannot be the DNS name of a certificate: use letters, digits, dots and hyphens`,
    )
  const badAddress = addresses.find((one) => !isIPv4(one))
  if (badAddress !== undefined)
    throw new Error(`"${badAddress}" cannot be the address of a certificate: use an IPv4 address`)
}

/** Order of the group of P-256 (SP 800-186, 3.2.1.3). */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
/** This many more bits than the order has make the bias negligible (FIPS 186-5, A.2.1). */
const SCALAR_BYTES = 40

/** The authority's key. Every host with the secret derives the same one. */
function authorityKey(secret: string | Uint8Array): KeyObject {
  const wide = BigInt(`0x${deriveKey(secret, 'ca', SCALAR_BYTES).toString('hex')}`)
  const scalar = (wide % (P256_ORDER - 1n)) + 1n
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex')
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(d)
  const point = curve.getPublicKey()
  const text = (bytes: Buffer) => bytes.toString('base64url')
  const [x, y] = [text(point.subarray(1, 33)), text(point.subarray(33))]
  return createPrivateKey({ key: { kty: 'EC', crv: 'P-256', d: text(d), x, y }, format: 'jwk' })
}

/** The host's key in its file. It is created if there is no usable one. */
async function ensureKey(file: string): Promise<KeyObject> {
  const found = await readKey(file)
  if (typeof found === 'object') {
    await chmod(file, PRIVATE)
    return found
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  // Another program may have written a key meanwhile, so only an unusable file is replaced.
  await createFile(file, pem, { mode: PRIVATE, replaces: found === 'unusable' })
  return createPrivateKey(await readFile(file))
}

async function readKey(file: string): Promise<KeyObject | 'missing' | 'unusable'> {
  const text = await readFile(file).catch(() => null)
  if (text === null) return (await exists(file)) ? 'unusable' : 'missing'
  try {
    return createPrivateKey(text)
  } catch {
    return 'unusable'
  }
}

function isGoodAuthority(
  certificate: X509Certificate | null,
  key: KeyObject,
  nowMs: number,
): boolean {
  return (
    certificate?.ca === true &&
    certificate.checkPrivateKey(key) &&
    certificate.subject === `CN=${authorityName(key)}` &&
    isFresh(certificate, nowMs)
  )
}

function isGood(
  certificate: X509Certificate,
  authority: KeyObject,
  key: KeyObject,
  { names, addresses }: Identity,
  nowMs: number,
): boolean {
  return (
    certificate.verify(createPublicKey(authority)) &&
    certificate.checkPrivateKey(key) &&
    [...names, ...addresses].every((name) => certificate.checkHost(name) !== undefined) &&
    addresses.every((address) => certificate.checkIP(address) !== undefined) &&
    isFresh(certificate, nowMs)
  )
}

/** Whether it is valid already, with a third of its lifetime left. */
function isFresh({ validFromDate, validToDate }: X509Certificate, nowMs: number): boolean {
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()]
  return from <= nowMs && to - nowMs > (to - from) / 3
}

/** Differs from cluster to cluster, so that an issuer's name is unique. */
function authorityName(key: KeyObject): string {
  const point = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return `${AUTHORITY}${createHash('sha256').update(point).digest('hex').slice(0, 16)}`
}

interface Issue extends CertificateOptions {
  readonly authority: KeyObject
  readonly key: KeyObject
}

/** Issues both certificates into the directory `work`. */
async function issue(work: string, { authority, key, identity, nowMs }: Issue) {
  const files = certificateFiles(work)
  const config = join(work, 'openssl.cnf')
  await writeFile(config, configText(work, identity))
  await writeFile(join(work, 'index'), '')
  const request = join(work, 'request')
  const ask = async (name: string, by: KeyObject) => {
    const out = ['-config', config, '-subj', `/CN=${name}`, '-out', request]
    await openssl(work, by, (file) => ['req', '-new', '-key', file, ...out])
  }
  const sign = async (kind: string, days: number, ...more: readonly string[]) => {
    const start = opensslTime(nowMs - TOLERANCE_DAYS * DAY_MS)
    const time = ['-startdate', start, '-enddate', opensslTime(nowMs + days * DAY_MS)]
    const how = ['-batch', '-notext', '-config', config, '-extensions', kind]
    const rest = [...how, ...time, '-in', request, ...more]
    await openssl(work, authority, (file) => ['ca', '-keyfile', file, ...rest])
  }
  await ask(authorityName(authority), authority)
  await sign('authority', AUTHORITY_DAYS, '-selfsign', '-out', files.ca)
  await ask(identity.names[0] ?? '', key)
  await sign('host', CERTIFICATE_DAYS, '-cert', files.ca, '-out', files.cert)
  return files
}

/**
 * Runs openssl with a key. openssl reads keys from files only: Node gives a program a socket as
 * stdin, and a socket cannot be opened by name. So the key is in a file, encrypted with a password
 * that is never written; openssl gets the password on stdin.
 */
async function openssl(
  work: string,
  key: KeyObject,
  args: (keyFile: string) => readonly string[],
): Promise<void> {
  const passphrase = randomBytes(32).toString('hex')
  const file = join(work, 'key')
  const pem = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
  await writeFile(file, pem, { mode: PRIVATE })
  const words = [...args(file), '-passin', 'stdin']
  const ran = await systemRunner('openssl', words, { stdin: `${passphrase}\n` })
  if (ran.exitCode !== 0) throw new Error(`openssl ${words[0]} failed: ${failureOf(ran)}`)
}

/** The configuration for openssl (openssl-ca(1), x509v3_config(5)). */
function configText(work: string, { names, addresses }: Identity): string {
  const alternatives = [
    // Erlang treats the host part of a node's name as a DNS name, even if it is an address
    // (`rabbit@10.0.0.1`).
    ...[...names, ...addresses].map((name) => `DNS:${name}`),
    ...addresses.map((address) => `IP:${address}`),
  ]
  return `
[ca]
default_ca = store
[store]
database = ${join(work, 'index')}
new_certs_dir = ${work}
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[host]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = ${[...new Set(alternatives)].join(',')}
[req]
distinguished_name = any
`
}

/** `20261128163000Z`. */
function opensslTime(ms: number): string {
  return `${new Date(ms).toISOString().replaceAll(/[-:T]|\..*$/g, '')}Z`
}

/**
 * Replaces the file with a complete certificate, which is on the disk before it becomes visible.
 */
async function install(made: string, file: string): Promise<void> {
  await using opened = await open(made, 'r+')
  await opened.chmod(PUBLIC)
  await opened.sync()
  await rename(made, file)
}

async function removeOldWork(directory: string, nowMs: number): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(WORK_PREFIX)) continue
    const path = join(directory, name)
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: nowMs }))
    if (nowMs - mtimeMs > WORK_KEPT_MS) await rm(path, { recursive: true, force: true })
  }
}
