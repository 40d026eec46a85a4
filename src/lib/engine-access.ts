/**
 * How to connect to an engine with several nodes: the settings that the database and the message
 * broker share.
 */
import { readFile } from 'node:fs/promises'

/** The addresses and credentials of an engine. */
export interface EngineAccess {
  /** `host` or `host:port`, the preferred one first, the same on all hosts. */
  readonly nodes: readonly string[]
  readonly user: string
  readonly password: string
  readonly tls: EngineTls
}

/**
 * PEM files: the authority that signs the servers' certificates, and this host's own certificate
 * and key.
 */
export interface EngineTls {
  /** The nodes that TLS is used for: all, all except those on loopback (`others`), or none. */
  readonly to: 'all' | 'others' | 'none'
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
}

/** Options of `tls.connect`. */
interface TlsOptions {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  readonly minVersion: 'TLSv1.2'
  readonly rejectUnauthorized: true
  /**
   * mysql2's name for checking that the certificate has this name or address. All others always
   * check it.
   */
  readonly verifyIdentity: true
}

/** The parts of `host` or `host:port`. The settings' schema has checked the format. */
export function splitAddress(
  text: string,
  defaultPort: number,
): { readonly host: string; readonly port: number } {
  const [host = '', port] = text.split(':')
  return { host, port: port === undefined ? defaultPort : Number(port) }
}

/**
 * The TLS options for connections to a host. Undefined: no TLS. Rejects with the file system's
 * error, which names the file.
 */
export type TlsReader = (host: string) => Promise<TlsOptions | undefined>

/** For how long a file is not read again. */
const KEPT_MS = 30_000

/**
 * Reads the files when they are needed, so that renewed certificates are used. While they are
 * unchanged it returns the same object, which lets mysql2 resume TLS sessions.
 */
export function createTlsReader(tls: EngineTls): TlsReader {
  let kept: { readonly atMs: number; readonly options: TlsOptions } | undefined
  return async (host) => {
    if (tls.to === 'none' || (tls.to === 'others' && isLoopback(host))) return undefined
    const nowMs = performance.now()
    if (kept !== undefined && nowMs - kept.atMs < KEPT_MS) return kept.options
    const options = await readTls(tls, host)
    const isSame = kept !== undefined && JSON.stringify(kept.options) === JSON.stringify(options)
    kept = { atMs: nowMs, options: isSame && kept !== undefined ? kept.options : options }
    return kept.options
  }
}

async function readTls({ ca, cert, key }: EngineTls, host: string): Promise<TlsOptions> {
  if (ca === null) throw new Error(`TLS to ${host} needs a CA certificate to verify it: set tls.ca`)
  return {
    ca: await readFile(ca, 'utf8'),
    ...(cert === null ? {} : { cert: await readFile(cert, 'utf8') }),
    ...(key === null ? {} : { key: await readFile(key, 'utf8') }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    verifyIdentity: true,
  }
}

/** Whether the host is this machine. Names other than `localhost` count as other machines. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
