/**
 * The outbound filter for HTTP requests to URLs that a client names (SSRF protection). It resolves
 * the host name, checks each address with `outbound-policy.ts`, and connects only to a checked
 * address. So a name that resolves differently a moment later (DNS rebinding) has no effect. A
 * redirect is a new request, and checked like the first.
 *
 * With a proxy (`images.proxy`) the proxy connects. Names are checked by the addresses that they
 * resolve to here, if they do. What else the proxy can reach is its operator's to limit.
 */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'
import { unlessAborted } from '../lib/deadline.ts'
import { formatCidr } from '../model/addr.ts'
import { refused } from '../model/errors.ts'
import { KIB } from '../model/sizes.ts'
import type { SharedWant } from '../model/want.ts'
import { wantsByVpc } from '../plan/vpc-wants.ts'
import type { HostService } from '../services/service.ts'
import { type Inside, isFarName, objectionTo, type Reach } from './outbound-policy.ts'

/** Settings of clients' fetches. */
export interface OutboundSettings {
  readonly reach: readonly Reach[]
  /** Engines of the cloud, `host` or `host:port`, by name or address. */
  readonly engines: readonly string[]
  readonly proxy: ProxySettings
}

/** As in the environment: the proxy for each scheme, and the hosts without a proxy. */
interface ProxySettings {
  readonly http: string | null
  readonly https: string | null
  readonly except: readonly string[]
}

export interface Outbound {
  /**
   * The response to a GET of this URL, without following redirects. Its body is destroyed when
   * `signal` aborts. Errors: `refused` when no address of the host is allowed; those of the
   * network.
   */
  get(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage>
  /**
   * Learns the cloud's own networks and machines from the want: `shared.vpcs`, `shared.subnets`,
   * `shared.peers`. It changes nothing on the host.
   */
  readonly service: HostService
}

/** An address that a name resolves to. */
export interface Address {
  readonly address: string
  readonly family: number
}

/** A response with larger headers is aborted. */
const HEADERS_MAX_BYTES = 16 * KIB

/**
 * A filter that at first only knows this machine's addresses. `resolve` returns all addresses of a
 * name or of an address. Empty when there is none.
 */
export function createOutbound(
  { reach, engines, proxy }: OutboundSettings,
  resolve: (host: string) => Promise<readonly Address[]> = resolveHere,
): Outbound {
  let shared: Pick<SharedWant, 'vpcs' | 'subnets' | 'peers'> = { vpcs: [], subnets: [], peers: [] }

  async function inside(): Promise<Inside> {
    const own = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
    return {
      addresses: [
        ...own.map(({ address }) => address),
        ...shared.peers.map(({ address }) => address),
        ...(await Promise.all(engines.map((engine) => resolve(engine.replace(/:\d+$/, '')))))
          .flat()
          .map(({ address }) => address),
      ],
      near: own.flatMap(({ cidr }) => cidr ?? []),
      networks: [...shared.vpcs, ...shared.subnets].map(({ cidr }) => formatCidr(cidr)),
    }
  }

  /** The allowed addresses of a host, at least one. */
  async function checked(host: string, port: number): Promise<readonly Address[]> {
    const found = await resolve(host)
    const around = await inside()
    const why: string[] = []
    const allowed = found.filter(({ address }) => {
      const objection = objectionTo({ host, address, port }, reach, around)
      if (objection !== null) why.push(objection)
      return objection === null
    })
    if (allowed.length === 0)
      throw forbidden(found.length === 0 ? `${host} does not resolve` : why.join(', '))
    return allowed
  }

  async function agentFor(url: URL, host: string, port: number) {
    const through = url.protocol === 'https:' ? proxy.https : proxy.http
    const Agent = url.protocol === 'https:' ? HttpsAgent : HttpAgent
    if (through === null || isExcepted(host, port, proxy.except)) {
      const allowed = await checked(host, port)
      return { agent: new Agent({ keepAlive: false }), lookup: onlyThese(allowed) }
    }
    // A name that does not resolve here is left to the proxy. A name that does is checked as for a
    // direct connection.
    if (isIP(host) !== 0 || (await resolve(host)).length > 0) await checked(host, port)
    else if (!isFarName(host)) throw forbidden(`${host} is not public`)
    const proxyEnv = { HTTP_PROXY: through, HTTPS_PROXY: through }
    return { agent: new Agent({ keepAlive: false, proxyEnv }) }
  }

  return {
    async get(url, headers, signal) {
      const host = hostOf(url)
      const isTls = url.protocol === 'https:'
      const port = url.port === '' ? (isTls ? 443 : 80) : Number(url.port)
      const ask = isTls ? requestHttps : requestHttp
      const options = { headers, signal, maxHeaderSize: HEADERS_MAX_BYTES }
      const sent = ask(url, {
        ...options,
        ...(await unlessAborted(signal, () => agentFor(url, host, port))),
      })
      // After the response has begun, its body reports errors.
      sent.on('error', () => undefined)
      sent.end()
      const [response]: IncomingMessage[] = await once(sent, 'response')
      if (response === undefined) throw forbidden('no answer')
      response.on('error', () => undefined)
      return response
    },
    service: {
      name: 'outbound',
      gate: false,
      async apply({ want }) {
        shared = wantsByVpc(want).own.shared
        return []
      },
      close: async () => undefined,
    },
  }
}

function forbidden(why: string): Error {
  return refused('InvalidParameterValue', why)
}

async function resolveHere(host: string): Promise<readonly Address[]> {
  const family = isIP(host)
  if (family !== 0) return [{ address: host, family }]
  return lookup(host, { all: true }).catch(() => [])
}

/** A resolver that returns only the checked addresses. */
function onlyThese(addresses: readonly Address[]): LookupFunction {
  return (_host, { all }, done) => {
    const [first] = addresses
    if (all === true) done(null, [...addresses])
    else done(null, first?.address ?? '', first?.family)
  }
}

/** Without the brackets of an IPv6 address, and without the final dot of a name. */
function hostOf({ hostname }: URL): string {
  return hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()
}

/**
 * Whether the host is reached without a proxy: `*`, or a name and all below it, with or without a
 * port, as curl(1) reads NO_PROXY.
 */
function isExcepted(host: string, port: number, except: readonly string[]): boolean {
  return except.some((entry) => {
    const [name = '', only] = entry.trim().toLowerCase().split(':')
    const suffix = name.replace(/^\*?\./, '')
    if (only !== undefined && Number(only) !== port) return false
    return name === '*' || (suffix !== '' && (host === suffix || host.endsWith(`.${suffix}`)))
  })
}
