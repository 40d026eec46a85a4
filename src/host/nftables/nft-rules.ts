/**
 * Parses rules of `nft -j list` (libnftables-json(5)), as firewalld and scripts write them. A rule
 * with an unknown part matches nothing. Pure.
 */
import { cidrContains, parseCidr, parseIpv4 } from '../../model/addr.ts'
import {
  type Fit,
  type ForeignChain,
  type ForeignRule,
  type Hook,
  linkFits,
  not,
  type Packet,
  type Verdict,
} from '../../model/foreign-rules.ts'
import { nftObjects } from './nft-listing.ts'

type Json = Readonly<Record<string, unknown>>
type Sets = ReadonlyMap<string, unknown>

const HOOKS: ReadonlySet<unknown> = new Set<Hook>([
  'prerouting',
  'input',
  'forward',
  'output',
  'postrouting',
])
/** Statements after which evaluation continues. */
const NEUTRAL = ['counter', 'log', 'notrack', 'mangle', 'ct helper', 'meta', 'comment']
const END_KINDS = ['accept', 'drop', 'return', 'continue'] as const
const PROTOCOL_NUMBERS: ReadonlyMap<unknown, string> = new Map<unknown, string>([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
])

/** Filtering chains of IPv4, and the chains that they jump to. */
export function parseNftRules(listing: unknown): readonly ForeignChain[] {
  const objects = nftObjects(listing)
  const of = (kind: string) => objects.map((object) => object[kind]).filter(isRecord)
  const keyOf = (one: Json) => `${one['family']} ${one['table']}`
  const sets = new Map(
    [...of('set'), ...of('map')].map((set) => [`${keyOf(set)} ${set['name']}`, set['elem']]),
  )
  const rules = new Map<string, ForeignRule[]>()
  for (const rule of of('rule')) {
    const chain = `${keyOf(rule)} ${rule['chain']}`
    rules.set(chain, [...(rules.get(chain) ?? []), parseRule(rule, keyOf(rule), sets)])
  }
  return of('chain').flatMap((chain): ForeignChain[] => {
    const { family, hook, type } = chain
    if ((family !== 'ip' && family !== 'inet') || type === 'nat') return []
    const name = String(chain['name'])
    return [
      {
        table: keyOf(chain),
        name,
        hook: isHook(hook) ? hook : null,
        policy: chain['policy'] === 'drop' ? 'drop' : 'accept',
        rules: rules.get(`${keyOf(chain)} ${name}`) ?? [],
      },
    ]
  })
}

function parseRule(rule: Json, table: string, sets: Sets): ForeignRule {
  const parts = Array.isArray(rule['expr']) ? rule['expr'].filter(isRecord) : []
  const text = `handle ${rule['handle']} of chain ${rule['chain']}`
  return {
    text,
    judge(packet) {
      for (const part of parts) {
        const said = judgePart(part, packet, (name) => sets.get(`${table} ${name}`))
        if (said !== null) return said
      }
      return { kind: 'continue' }
    },
  }
}

/** What one statement does with the packet. Null: the next statement decides. */
function judgePart(part: Json, packet: Packet, set: (name: string) => unknown): Verdict | null {
  const [[kind, value] = ['', null]] = Object.entries(part)
  if (kind === 'match') {
    const match = asRecord(value)
    return match !== null && fits(match, packet, set) === true ? null : { kind: 'continue' }
  }
  if (kind === 'vmap') return judgeMap(asRecord(value), packet, set)
  const verdict = parseVerdict(part)
  if (verdict !== null) return verdict
  // Most rules with a condition that is unknown here, such as a rate, are exceptions.
  return NEUTRAL.includes(kind) ? null : { kind: 'continue' }
}

function parseVerdict(part: Json): Verdict | null {
  for (const kind of END_KINDS) if (kind in part) return { kind }
  if ('reject' in part) return { kind: 'drop' }
  // A program decides. It is assumed to accept.
  if ('queue' in part) return { kind: 'accept' }
  for (const kind of ['jump', 'goto'] as const) {
    const target = asRecord(part[kind])?.['target']
    if (typeof target === 'string') return { kind, chain: target }
  }
  return null
}

function judgeMap(
  map: Json | null,
  packet: Packet,
  set: (name: string) => unknown,
): Verdict | null {
  const left = map?.['key']
  const data = elementsOf(map?.['data'], set)
  for (const element of data ?? []) {
    if (!Array.isArray(element)) continue
    const [key, said]: unknown[] = element
    if (fits({ op: '==', left, right: key }, packet, set) !== true) continue
    return parseVerdict(asRecord(said) ?? {})
  }
  return null
}

function fits(match: Json, packet: Packet, set: (name: string) => unknown): Fit {
  const { op, left, right } = match
  if (isOfAnotherProtocol(asRecord(left), packet)) return false
  const fit = compare(asRecord(left), right, String(op), packet, set)
  return op === '!=' ? not(fit) : fit
}

/**
 * Whether it reads a header that the packet does not have. Then no operator matches, not even `!=`.
 */
function isOfAnotherProtocol(left: Json | null, { protocol: of }: Packet): boolean {
  const protocol = asRecord(left?.['payload'])?.['protocol']
  return protocol !== undefined && protocol !== 'ip' && protocol !== 'th' && protocol !== of
}

function compare(
  left: Json | null,
  right: unknown,
  op: string,
  packet: Packet,
  set: (name: string) => unknown,
): Fit {
  const elements = elementsOf(right, set)
  if (elements === null) return null
  const each = (one: unknown): Fit => compareOne(left, one, op, packet)
  const fit = elements.map((one) => each(Array.isArray(one) ? one[0] : one))
  if (fit.includes(true)) return true
  return fit.includes(null) ? null : false
}

/** The elements on the right side. Null: the set is unknown. */
function elementsOf(right: unknown, set: (name: string) => unknown): readonly unknown[] | null {
  if (typeof right === 'string' && right.startsWith('@')) {
    const known = set(right.slice(1))
    return Array.isArray(known) ? known : known === undefined ? [] : null
  }
  if (Array.isArray(right)) return right
  const inner = asRecord(right)?.['set']
  return Array.isArray(inner) ? inner : [right]
}

function compareOne(left: Json | null, element: unknown, op: string, packet: Packet): Fit {
  const right =
    asRecord(element)?.['elem'] === undefined
      ? element
      : asRecord(asRecord(element)?.['elem'])?.['val']
  const meta = asRecord(left?.['meta'])?.['key']
  const payload = asRecord(left?.['payload'])
  const ct = asRecord(left?.['ct'])?.['key']
  const fib = asRecord(left?.['fib'])
  if (meta !== undefined) return compareMeta(String(meta), right, packet)
  if (ct === 'state') return right === packet.state
  if (ct === 'status') return false
  if (fib !== null)
    return fib['result'] === 'type' && packet.hook === 'input'
      ? right === (isBroadcast(packet) ? 'broadcast' : 'local')
      : null
  return payload === null ? null : comparePayload(payload, right, op, packet)
}

function isBroadcast({ to }: Packet): boolean {
  return to === '255.255.255.255'
}

function compareMeta(key: string, right: unknown, packet: Packet): Fit {
  switch (key) {
    case 'iif':
    case 'iifname':
      return packet.hook === 'output' || packet.hook === 'postrouting'
        ? null
        : linkFits(packet.iif, String(right), '*')
    case 'oif':
    case 'oifname':
      return packet.hook === 'prerouting' || packet.hook === 'input'
        ? null
        : linkFits(packet.oif, String(right), '*')
    case 'l4proto':
      return (PROTOCOL_NUMBERS.get(right) ?? right) === packet.protocol
    case 'nfproto':
      return right === 'ipv4'
    case 'protocol':
      return right === 'ip'
    case 'pkttype':
      return right === (isBroadcast(packet) ? 'broadcast' : 'host')
    default:
      return null
  }
}

function comparePayload(payload: Json, right: unknown, op: string, packet: Packet): Fit {
  const { protocol, field } = payload
  if (protocol === 'ip' && field === 'saddr') return addressFits(right, packet.from)
  if (protocol === 'ip' && field === 'daddr') return addressFits(right, packet.to)
  if (protocol === 'ip' && field === 'protocol')
    return (PROTOCOL_NUMBERS.get(right) ?? right) === packet.protocol
  if (protocol === 'icmp' && field === 'type') return right === packet.icmp
  if (field === 'sport') return numberFits(right, packet.sport, op)
  return field === 'dport' ? numberFits(right, packet.dport, op) : null
}

function addressFits(right: unknown, ip: Packet['from']): Fit {
  const range = asRecord(right)?.['range']
  if (ip === null || range !== undefined) return null
  const prefix = asRecord(asRecord(right)?.['prefix'])
  const text = prefix === null ? `${right}/32` : `${prefix['addr']}/${prefix['len']}`
  const net = parseCidr(text)
  if (net === undefined) return parseIpv4(String(right)) === undefined ? false : null
  return cidrContains(net, ip)
}

function numberFits(right: unknown, value: number | null, op: string): Fit {
  if (value === null) return null
  const range = asRecord(right)?.['range']
  if (Array.isArray(range)) return value >= Number(range[0]) && value <= Number(range[1])
  const number = Number(right)
  if (Number.isNaN(number)) return null
  switch (op) {
    case '<':
      return value < number
    case '>':
      return value > number
    case '<=':
      return value <= number
    case '>=':
      return value >= number
    default:
      return value === number
  }
}

function isHook(hook: unknown): hook is Hook {
  return HOOKS.has(hook)
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function asRecord(value: unknown): Json | null {
  return isRecord(value) ? value : null
}
