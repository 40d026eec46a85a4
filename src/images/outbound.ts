/**
 * The outbound filter: HTTP requests that this host makes because a client named the URL (SSRF
 * protection). The host name is resolved, each address is checked by `outbound-policy.ts`, and the
 * connection is made to a checked address and to no other. So a name that resolves to something
 * else a moment later (DNS rebinding) leads nowhere. A redirect is a new request and is checked
 * like the first.
 *
 * Through a proxy (`images.proxy`) it is the proxy that connects: names are checked by what they
 * resolve to here, if they do, and what the proxy reaches beyond that is its operator's to limit.
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
import type { HostService } from '../services/service.ts'
import { type Inside, isFarName, objectionTo, type Reach } from './outbound-policy.ts'

/** What a client's fetches may use. */
export interface OutboundSettings {
  readonly reach: readonly Reach[]
  /** Engines of the cloud, `host` or `host:port`: names or addresses. */
  readonly engines: readonly string[]
  readonly proxy: ProxySettings
}

/** As in the environment: the proxy for each scheme, and the hosts that are asked without one. */
interface ProxySettings {
  readonly http: string | null
  readonly https: string | null
  readonly except: readonly string[]
}

export interface Outbound {
  /**
   * The answer to a GET of this URL, redirects not followed. Its body is destroyed when `signal`
   * aborts. Errors: `refused` when no address of the host may be reached; those of the network.
   */
  get(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage>
  /**
   * Learns the cloud's own networks and machines from the want: `shared.vpcs`, `shared.subnets`,
   * `shared.peers`. Makes nothing on the host.
   */
  readonly service: HostService
}

/** What a name leads to. */
export interface Address {
  readonly address: string
  readonly family: number
}

/** Larger headers end the answer. */
const HEADERS_MAX_BYTES = 16 * KIB

/**
 * A filter that knows no network of the cloud yet but this machine's addresses. `resolve` gives
 * every address of a name or of an address, none when there is none.
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

  /** The addresses of a host that may be reached; at least one. */
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
    // A name that does not resolve here is left to the proxy. One that does is checked as if the
    // connection were made from here.
    if (isIP(host) !== 0 || (await resolve(host)).length > 0) await checked(host, port)
    else if (!isFarName(host)) throw forbidden(`${host} is not the world's`)
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
      // After the answer has begun, what goes wrong is the body's to tell.
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
        shared = want.shared
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

/** A resolver that gives only the addresses that were checked. */
function onlyThese(addresses: readonly Address[]): LookupFunction {
  return (_host, { all }, done) => {
    const [first] = addresses
    if (all === true) done(null, [...addresses])
    else done(null, first?.address ?? '', first?.family)
  }
}

/** Without the brackets of an IPv6 address and the final dot of a name. */
function hostOf({ hostname }: URL): string {
  return hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()
}

/**
 * Whether the host is asked without a proxy: `*`, or a name with all below it, with or without a
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
