/**
 * How to connect to an engine that runs on several nodes (database, message broker): the settings
 * that both have in common.
 */
import { readFile } from 'node:fs/promises'

/** Where the nodes of an engine are and how to get in. */
export interface EngineAccess {
  /** `host` or `host:port`, the preferred one first, alike on all hosts. */
  readonly nodes: readonly string[]
  readonly user: string
  readonly password: string
  readonly tls: EngineTls
}

/**
 * Files in PEM: whom the server's certificate must be signed by, and this host's own certificate
 * and key.
 */
export interface EngineTls {
  /**
   * Which nodes are spoken to by TLS: all, all but those on loopback (`others`), or none of them.
   */
  readonly to: 'all' | 'others' | 'none'
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
}

/** What `tls.connect` takes of it. */
interface TlsOptions {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  readonly minVersion: 'TLSv1.2'
  readonly rejectUnauthorized: true
  /**
   * What mysql2 calls the check that all others do anyway: whether the certificate is for this name
   * or address.
   */
  readonly verifyIdentity: true
}

/** `host` or `host:port` as its parts; the settings' schema has seen to its form. */
export function splitAddress(
  text: string,
  defaultPort: number,
): { readonly host: string; readonly port: number } {
  const [host = '', port] = text.split(':')
  return { host, port: port === undefined ? defaultPort : Number(port) }
}

/**
 * Gives what a connection to a host is made with; undefined: no TLS. Rejects as the file system
 * does, which names the file.
 */
export type TlsReader = (host: string) => Promise<TlsOptions | undefined>

/** So long a file that has been read is not read again. */
const KEPT_MS = 30_000

/**
 * Reads the files when they are needed, so that renewed certificates are used. While they are
 * unchanged it returns the same object: mysql2 resumes TLS sessions by that.
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

/** Whether what is sent to this host leaves the machine: names but `localhost` are taken to. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
