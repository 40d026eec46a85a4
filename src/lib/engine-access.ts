/** How to reach and enter an engine that runs on several machines: what the settings of the store and of the bus have in common. */
import { readFile } from 'node:fs/promises'

/** Where the nodes of an engine are and how to get in. */
export interface EngineAccess {
  /** `host` or `host:port`, the preferred one first, alike on all hosts. */
  readonly nodes: readonly string[]
  readonly user: string
  readonly password: string
  readonly tls: TlsFiles
}

/** Files in PEM: whom the server's certificate must be signed by (null: no TLS), and this host's own certificate and key. */
interface TlsFiles {
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
}

/** `host` or `host:port` as its parts; the settings' schema has seen to its form. */
export function splitAddress(
  text: string,
  defaultPort: number,
): { readonly host: string; readonly port: number } {
  const [host = '', port] = text.split(':')
  return { host, port: port === undefined ? defaultPort : Number(port) }
}

/** Reads the files; undefined when there is to be no TLS. Rejects with what the file system says, which names the file. */
export async function readTls({ ca, cert, key }: TlsFiles): Promise<TlsOptions | undefined> {
  if (ca === null) return undefined
  return {
    ca: await readFile(ca, 'utf8'),
    ...(cert === null ? {} : { cert: await readFile(cert, 'utf8') }),
    ...(key === null ? {} : { key: await readFile(key, 'utf8') }),
    minVersion: 'TLSv1.2',
  }
}
