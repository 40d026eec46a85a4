/**
 * Check of `atoll doctor`: the resolvers that DNS queries of instances are forwarded to. Changes
 * nothing.
 */
import { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { Config } from '../config.ts'
import { systemClock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import { codeOf } from '../lib/errno.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

/** Time limit of a query. */
const ANSWER_MS = 2_000
const RESOLV_CONF = '/etc/resolv.conf'
/** c-ares error codes that mean that the resolver answered. */
const ANSWERS = ['ENODATA', 'ENOTFOUND', 'EREFUSED', 'ENOTIMP', 'EFORMERR', 'EBADRESP']

/** Asks each of them for the root servers, which every resolver knows. */
export async function checkForwarders({ dns }: Pick<Config, 'dns'>): Promise<CheckResult> {
  const servers = dns.forwarders ?? (await serversOfHost())
  const from = dns.forwarders === null ? ` from ${RESOLV_CONF}` : ''
  if (servers.length === 0)
    return dns.forwarders === null
      ? warn(
          `no nameserver in ${RESOLV_CONF}`,
          'set dns.forwarders; without a resolver, instances resolve only names of instances',
        )
      : ok('none: dns.forwarders is empty')
  const faults = (await Promise.all(servers.map(faultOf))).filter((fault) => fault !== null)
  if (faults.length === 0) return ok(`${servers.join(', ')}${from}`)
  const others = servers.length - faults.length
  return warn(
    `${faults.join('; ')}${from}; ${others === 0 ? 'no resolver answers' : `${others} of ${servers.length} answer`}`,
    'set dns.forwarders to resolvers that answer this host, or check the network between this host and them',
  )
}

async function serversOfHost(): Promise<readonly string[]> {
  const text = await readFile(RESOLV_CONF, 'utf8').catch(() => '')
  const named = [...text.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '')
  return [...new Set(named)].filter((address) => isIP(address) !== 0)
}

/** What is wrong with a resolver, `address` or `address:port`; null when it answers. */
async function faultOf(server: string): Promise<string | null> {
  const resolver = new Resolver({ timeout: ANSWER_MS, tries: 1 })
  const asked = Promise.try(() => {
    resolver.setServers([server])
    return resolver.resolveNs('.')
  }).then(
    () => null,
    (error: unknown) => faultIn(server, codeOf(error) ?? ''),
  )
  const fault = await inTime(
    systemClock,
    ANSWER_MS,
    asked.then((found) => ({ found })),
  )
  resolver.cancel()
  return fault === null ? faultIn(server, 'ETIMEOUT') : fault.found
}

function faultIn(server: string, code: string): string | null {
  if (ANSWERS.includes(code)) return null
  if (code === 'ESERVFAIL') return `${server} answers SERVFAIL: it reaches no other name server`
  const why = code === 'ETIMEOUT' ? `within ${ANSWER_MS / 1000} s` : `(${code})`
  return `${server} does not answer ${why}`
}
