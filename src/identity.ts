/**
 * This host's identity: the secret that its keys are derived from, and its certificates, which are
 * renewed while the daemon runs.
 *
 * With `cluster.secretFile` the secret is the cluster's. Otherwise it is the host's own, created at
 * the first start. When a certificate cannot be renewed (a read-only disk), the daemon keeps the
 * old one, logs the problem, and tries again. `atoll doctor` shows the remaining days.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { type CertificateFiles, certificateFiles, ensureCertificates } from './lib/certificates.ts'
import type { Clock } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import { readSecret } from './lib/secret.ts'
import { readTextFile } from './lib/text-file.ts'
import { cidrAddress } from './model/addr.ts'
import { AtollError } from './model/errors.ts'

/** A server's certificate and key (PEM). */
interface ShownCertificate {
  readonly cert: string
  readonly key: string
}

/** Certificates that are renewed while the daemon runs. */
export interface Identity {
  /** The cluster's secret, or this host's own. */
  readonly secret: string | Uint8Array
  /** The certificate for other hosts. Null while there is none. */
  host(): ShownCertificate | null
  /** The certificate for clients of the API. Null while there is none. */
  api(): ShownCertificate | null
  /** Calls `listener` when either has changed. */
  onChange(listener: () => void): void
  close(): Promise<void>
}

const OWN_SECRET =
  'no access key can be used that the records have, and clients do not trust the certificate of the API'
/** Longer than any password. */
const SECRET_LIMIT_BYTES = 64 * 1024
/** How often the files and the certificate's age are checked. */
const LOOK_MS = 600_000
/** The same after a failure. */
const RETRY_MS = 60_000
const ANY_ADDRESS = '0.0.0.0'
/** TEST-NET-1 (RFC 5737). Nothing is sent there. */
const SOMEWHERE = '192.0.2.1'

/**
 * Reads or creates the secret and the certificates, and renews them. Errors: an unreadable secret.
 */
export async function openIdentity(parts: {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
}): Promise<Identity> {
  const { config, clock, log } = parts
  const secret = await readCloudSecret(config)
  const closing = new AbortController()
  const listeners: (() => void)[] = []
  const files = certificateFiles(config.tls.directory)
  const { certificateFile: cert, keyFile: key } = config.api.tls
  const given = cert === null || key === null ? null : { cert, key }
  let host: ShownCertificate | null = null
  let api: ShownCertificate | null = null

  /** Checks once, and returns the time until the next check. */
  async function look(): Promise<number> {
    let pauseMs = LOOK_MS
    try {
      await renew(config, secret, clock, log)
    } catch (error) {
      pauseMs = RETRY_MS
      log.error({ error, directory: config.tls.directory }, 'could not issue a certificate')
    }
    const [hostNow, apiNow] = [
      await readShown(files),
      given === null ? null : await readShown(given),
    ]
    if (given !== null && apiNow === null) {
      pauseMs = RETRY_MS
      log.error({ ...given }, 'the certificate of the API (setting api.tls) cannot be read')
    }
    const before = JSON.stringify([host, api])
    host = hostNow ?? host
    api = given === null ? host : (apiNow ?? api)
    if (before !== JSON.stringify([host, api])) for (const listener of listeners) listener()
    return pauseMs
  }

  async function keepLooking(firstPauseMs: number): Promise<void> {
    let pauseMs = firstPauseMs
    for (;;) {
      await clock.sleep(pauseMs, closing.signal)
      pauseMs = await look()
    }
  }

  const looking = keepLooking(await look()).catch((error: unknown) => {
    if (!closing.signal.aborted) log.error({ error }, 'certificates are no longer renewed')
  })
  return {
    secret,
    host: () => host,
    api: () => api,
    onChange: (listener) => void listeners.push(listener),
    async close() {
      closing.abort()
      await looking
    },
  }
}

/**
 * The secret that all keys of this host are derived from: the cluster's, or 32 random bytes in
 * `cloud.key` of stateDir. Errors: `refused` when there is a file without a usable secret.
 */
export async function readCloudSecret({
  cluster,
  stateDir,
}: Pick<Config, 'cluster' | 'stateDir'>): Promise<string | Uint8Array> {
  return cluster.secretFile === null
    ? readSecret(join(stateDir, 'cloud.key'), { guards: OWN_SECRET })
    : readSecretFile(cluster.secretFile)
}

/**
 * A secret in a file that the settings name, without surrounding white space. Errors: `refused`,
 * which names the file and never its content.
 */
export async function readSecretFile(file: string): Promise<string> {
  const found = readTextFile(file, SECRET_LIMIT_BYTES)
  const problem = 'problem' in found ? found.problem : 'is empty: write the secret into it'
  const secret = 'text' in found ? found.text.trim() : ''
  if (secret !== '') return secret
  throw new AtollError(
    'refused',
    'InvalidParameterValue',
    `There is no secret in ${file}: the file ${problem}`,
  )
}

async function renew(
  config: Config,
  secret: string | Uint8Array,
  clock: Clock,
  log: Log,
): Promise<void> {
  const { directory, names, addresses } = config.tls
  const identity = {
    names: [...new Set([config.host.name, ...names, 'localhost'])],
    addresses: [...new Set([...(await ownAddresses(config)), ...addresses])],
  }
  const { issued, certificate } = await ensureCertificates({
    secret,
    directory,
    identity,
    nowMs: clock.now(),
  })
  if (issued)
    log.info({ directory, ...identity, daysLeft: certificate.daysLeft }, 'certificate issued')
}

/** This host's addresses, as far as it knows them, and the one that it may get. */
async function ownAddresses({ fabric, api, network }: Config): Promise<readonly string[]> {
  const gateway = network.instanceToHostPorts.includes(api.port)
    ? [cidrAddress(network.subnet, 1)]
    : []
  return [
    '127.0.0.1',
    ...(fabric.address === null ? [] : [fabric.address]),
    ...(api.sharedAddress === null ? [] : [api.sharedAddress]),
    ...(api.listen === ANY_ADDRESS ? await uplinkAddress() : [api.listen]),
    ...gateway,
  ]
}

/** The source address for packets to the internet. None when there is no route. */
async function uplinkAddress(): Promise<readonly string[]> {
  const socket = createSocket('udp4')
  try {
    // Makes the kernel choose a route, and sends nothing (udp(7)).
    socket.connect(9, SOMEWHERE)
    await once(socket, 'connect')
    return [socket.address().address]
  } catch {
    return []
  } finally {
    socket.close()
  }
}

async function readShown({
  cert,
  key,
}: Pick<CertificateFiles, 'cert' | 'key'>): Promise<ShownCertificate | null> {
  try {
    return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') }
  } catch {
    return null
  }
}
