/**
 * The names that this host answers itself: the instance zone, its reverse zones, and names that
 * must never be forwarded. Pure.
 *
 * What does not depend on instances is built once for each change of the VPCs. The names of
 * instances (`names.ts`) change often and may be many. Records are complete bytes, with a pointer
 * to the question as owner name. An authority is a subtree that is ours alone: no name in it is
 * forwarded, and no record for it is accepted from outside.
 */
import { ipv4ToBytes, ipv4ToNumber, RESOLVER_ADDRESS } from '../../model/addr.ts'
import { publicHostAddress } from '../../model/hostname.ts'
import type { SharedWant } from '../../model/want.ts'
import type { InstanceNames } from './names.ts'
import {
  CLASS_IN,
  keyOf,
  nameToWire,
  parentKey,
  QUESTION_POINTER,
  RECORD_FIXED_BYTES,
  TYPE,
} from './packet.ts'
import { OCTETS, octetsOf, reverseZones } from './reverse-names.ts'

/** Records of one name and type, all of the same size, ready to follow the question. */
export interface RecordSet {
  readonly bytes: Buffer
  readonly count: number
  /** End offset of each record in `bytes`. */
  readonly answerEnds: readonly number[]
}

/**
 * The records of one name, by type. A name without records exists because there are names below
 * it (RFC 8020 section 2).
 */
type Node = ReadonlyMap<number, RecordSet>

/** A subtree that is ours alone. */
export interface Authority {
  readonly key: string
  /**
   * The SOA record of negative answers (RFC 2308). Its first two bytes are the owner, to be set
   * to a pointer to the apex.
   */
  readonly soa: Buffer
  /** Answers every name below the apex that has no entry of its own. */
  readonly wildcard: Node | null
  /** Whether it has the reverse names of a VPC. */
  readonly isOfVpc: boolean
}

export interface Zone {
  /** What does not depend on instances, by lower-case wire form. */
  readonly nodes: ReadonlyMap<string, Node>
  /** The authorities, by apex. */
  readonly authorities: ReadonlyMap<string, Authority>
  /** Key of the zone of instances' names, and how long these may be believed. */
  readonly instances: { readonly key: string; readonly ttlSeconds: number }
  readonly names: InstanceNames
}

export interface ZoneSettings {
  /** Dotted, lower case, without a final dot. */
  readonly zone: string
  readonly ttlSeconds: number
  /** How long a negative answer is valid (RFC 2308 section 5). */
  readonly negativeTtlSeconds: number
  /**
   * Whether names below `local` are forwarded, for company networks that use them. Otherwise they
   * do not exist (RFC 6762 section 22.1).
   */
  readonly forwardLocal: boolean
}

/**
 * Names that a resolver answers itself because they mean nothing outside: RFC 6761 (invalid;
 * localhost is below), RFC 6762 section 22.1 (local, unless it is forwarded), RFC 7686 (onion),
 * RFC 9462 section 6.4 (resolver.arpa), RFC 6303 sections 4.2 to 4.6 (reverse names of
 * this-network, loopback, link-local, documentation and broadcast addresses). Reverse names of
 * private addresses are forwarded unless a VPC has them, because the network around the cloud may
 * serve them.
 */
const EMPTY_SUBTREES: readonly string[] = [
  'invalid',
  'onion',
  'resolver.arpa',
  '0.in-addr.arpa',
  '254.169.in-addr.arpa',
  '2.0.192.in-addr.arpa',
  '100.51.198.in-addr.arpa',
  '113.0.203.in-addr.arpa',
  '255.255.255.255.in-addr.arpa',
  '8.e.f.ip6.arpa',
  '9.e.f.ip6.arpa',
  'a.e.f.ip6.arpa',
  'b.e.f.ip6.arpa',
]
const LOOPBACK_IPV6_REVERSE = `1.${'0.'.repeat(31)}ip6.arpa`
const LOOPBACK_IPV6 = Buffer.from('00000000000000000000000000000001', 'hex')

/**
 * The resolver's own name in the zone. It has two labels, so it cannot be the name of an
 * instance.
 */
const SERVER_LABELS = 'a.ns'

/** Owner and fixed part. */
const RECORD_HEAD_BYTES = 2 + RECORD_FIXED_BYTES
const ADDRESS_RECORD_BYTES = RECORD_HEAD_BYTES + 4

// The timers of the SOA are for secondary servers. There are none, and transfers are refused.
const SOA_SERIAL = 1
const SOA_REFRESH_SECONDS = 3600
const SOA_RETRY_SECONDS = 600
const SOA_EXPIRE_SECONDS = 86_400

/** The zone of these VPCs with these names, which may change. */
export function buildZone(
  vpcs: SharedWant['vpcs'],
  names: InstanceNames,
  settings: ZoneSettings,
): Zone {
  const draft = new Draft(settings)
  draft.addAuthority(settings.zone)
  draft.addRecord(`${SERVER_LABELS}.${settings.zone}`, TYPE.A, ipv4ToBytes(RESOLVER_ADDRESS))
  for (const { cidr } of vpcs)
    for (const apex of reverseZones(cidr)) draft.addAuthority(apex, { isOfVpc: true })
  for (const apex of EMPTY_SUBTREES) draft.addAuthority(apex)
  if (!settings.forwardLocal) draft.addAuthority('local')
  addLoopback(draft)
  return draft.finish(names)
}

/**
 * `localhost`, all names below it, and its reverse names (RFC 6761 section 6.3, RFC 6303 sections
 * 4.2 and 4.4).
 */
function addLoopback(draft: Draft): void {
  draft.addAuthority('localhost', { wildcard: true })
  draft.addRecord('localhost', TYPE.A, Uint8Array.of(127, 0, 0, 1))
  draft.addRecord('localhost', TYPE.AAAA, LOOPBACK_IPV6)
  draft.addAuthority('127.in-addr.arpa')
  draft.addRecord('1.0.0.127.in-addr.arpa', TYPE.PTR, nameToWire('localhost'))
  draft.addAuthority(LOOPBACK_IPV6_REVERSE)
  draft.addRecord(LOOPBACK_IPV6_REVERSE, TYPE.PTR, nameToWire('localhost'))
}

/** The authority that contains a name, if there is one. */
export function authorityOf(zone: Zone, key: string): Authority | undefined {
  for (let name: string | undefined = key; name !== undefined; name = parentKey(name)) {
    const authority = zone.authorities.get(name)
    if (authority !== undefined) return authority
  }
  return undefined
}

/** The records of a name and type. */
export function recordsOf(zone: Zone, key: string, type: number): RecordSet | undefined {
  const fixed = zone.nodes.get(key)?.get(type)
  if (fixed !== undefined) return fixed
  const { key: apex, ttlSeconds } = zone.instances
  if (type === TYPE.A) {
    const addresses = addressesOf(zone, key)
    return addresses && addressRecords(addresses, ttlSeconds)
  }
  if (type !== TYPE.PTR) return undefined
  const name = reverseOf(zone, key, octetsOf(key))
  return name === undefined ? undefined : pointerRecord(name, apex, ttlSeconds)
}

/** Whether a name exists, with records or because there are names below it (RFC 8020). */
export function nameExists(zone: Zone, key: string): boolean {
  if (zone.nodes.has(key) || addressesOf(zone, key) !== undefined) return true
  const octets = octetsOf(key)
  if (octets === undefined) return false
  if (octets.length === OCTETS) return reverseOf(zone, key, octets) !== undefined
  return zone.names.hasBelow(octets) && isOfVpc(zone, key)
}

/**
 * The addresses of an instance's name. As in EC2, the public name of an address that leads to an
 * instance of the VPC has the private address, and any other the address itself.
 */
function addressesOf({ instances, names }: Zone, key: string): readonly number[] | undefined {
  const labelEnd = 1 + key.charCodeAt(0)
  if (key.length !== labelEnd + instances.key.length || !key.endsWith(instances.key))
    return undefined
  const label = key.slice(1, labelEnd)
  const known = names.addressesOf(label)
  if (known !== undefined) return known
  const ip = publicHostAddress(label)
  return ip === undefined ? undefined : [ipv4ToNumber(ip)]
}

/** The name of the instance whose address these octets are. */
function reverseOf(
  zone: Zone,
  key: string,
  octets: readonly number[] | undefined,
): string | undefined {
  if (octets?.length !== OCTETS) return undefined
  const name = zone.names.nameOf(octets.reduce((sum, octet) => sum * 256 + octet, 0))
  return name !== undefined && isOfVpc(zone, key) ? name : undefined
}

/** Whether a name is in the reverse zone of a VPC. */
function isOfVpc(zone: Zone, key: string): boolean {
  for (let name: string | undefined = key; name !== undefined; name = parentKey(name))
    if (zone.authorities.get(name)?.isOfVpc === true) return true
  return false
}

/** A records, of each address once. The list is sorted. */
function addressRecords(addresses: readonly number[], ttlSeconds: number): RecordSet {
  const once = addresses.length === 1 ? addresses : [...new Set(addresses)]
  const bytes = Buffer.allocUnsafe(once.length * ADDRESS_RECORD_BYTES)
  const answerEnds: number[] = []
  let end = 0
  for (const address of once) {
    writeHead(bytes, end, TYPE.A, ttlSeconds, 4)
    bytes.writeUInt32BE(address, end + RECORD_HEAD_BYTES)
    end += ADDRESS_RECORD_BYTES
    answerEnds.push(end)
  }
  return { bytes, count: once.length, answerEnds }
}

/** The PTR record of a name in the zone whose key is `apex`. */
function pointerRecord(label: string, apex: string, ttlSeconds: number): RecordSet {
  const dataBytes = 1 + label.length + apex.length
  const bytes = Buffer.allocUnsafe(RECORD_HEAD_BYTES + dataBytes)
  writeHead(bytes, 0, TYPE.PTR, ttlSeconds, dataBytes)
  bytes[RECORD_HEAD_BYTES] = label.length
  bytes.write(label + apex, RECORD_HEAD_BYTES + 1, 'latin1')
  return { bytes, count: 1, answerEnds: [bytes.length] }
}

interface ApexOptions {
  readonly wildcard?: true
  readonly isOfVpc?: true
}

/** A zone that is being built. */
class Draft {
  readonly #settings: ZoneSettings
  readonly #server: Buffer
  readonly #data = new Map<string, Map<number, Buffer[]>>()
  readonly #apexes = new Map<string, ApexOptions>()

  constructor(settings: ZoneSettings) {
    this.#settings = settings
    this.#server = nameToWire(`${SERVER_LABELS}.${settings.zone}`)
  }

  addAuthority(apex: string, options: ApexOptions = {}): void {
    const key = keyOf(apex)
    if (this.#apexes.has(key)) return
    this.#apexes.set(key, options)
    this.#add(key, TYPE.SOA, this.#soaData())
    this.#add(key, TYPE.NS, this.#server)
  }

  addRecord(name: string, type: number, data: Uint8Array): void {
    this.#add(keyOf(name), type, Buffer.from(data))
  }

  finish(names: InstanceNames): Zone {
    const nodes = new Map<string, Node>()
    for (const [key, types] of this.#data)
      nodes.set(key, new Map([...types].map(([type, data]) => [type, this.#recordSet(type, data)])))
    const authorities = new Map<string, Authority>()
    const soa = record(TYPE.SOA, this.#settings.negativeTtlSeconds, this.#soaData())
    for (const [key, { wildcard, isOfVpc = false }] of this.#apexes) {
      const node = wildcard === true ? (nodes.get(key) ?? null) : null
      authorities.set(key, { key, soa, wildcard: node, isOfVpc })
    }
    const { zone, ttlSeconds } = this.#settings
    const instances = { key: keyOf(zone), ttlSeconds }
    return { nodes, authorities, instances, names }
  }

  #add(key: string, type: number, data: Buffer): void {
    const path = this.#pathToApex(key)
    for (const name of path) this.#typesOf(name)
    // Outside every authority there is nothing to serve. This happens for an address in no VPC.
    if (path.length === 0) return
    const types = this.#typesOf(key)
    const known = types.get(type) ?? []
    if (!known.some((one) => one.equals(data))) known.push(data)
    types.set(type, known)
  }

  /**
   * The names from `key` up to its apex. Those between exist, even without records (RFC 8020
   * section 2).
   */
  #pathToApex(key: string): readonly string[] {
    const path: string[] = []
    for (let name: string | undefined = key; name !== undefined; name = parentKey(name)) {
      path.push(name)
      if (this.#apexes.has(name)) return path
    }
    return []
  }

  #typesOf(key: string): Map<number, Buffer[]> {
    const known = this.#data.get(key)
    if (known !== undefined) return known
    const types = new Map<number, Buffer[]>()
    this.#data.set(key, types)
    return types
  }

  #recordSet(type: number, data: readonly Buffer[]): RecordSet {
    const ttlSeconds =
      type === TYPE.SOA ? this.#settings.negativeTtlSeconds : this.#settings.ttlSeconds
    const records = data.map((one) => record(type, ttlSeconds, one))
    return {
      bytes: Buffer.concat(records),
      count: records.length,
      answerEnds: records.map((one, index) => (index + 1) * one.length),
    }
  }

  /** SOA data (RFC 1035 section 3.3.13). Its minimum is the negative TTL (RFC 2308 section 4). */
  #soaData(): Buffer {
    const timers = Buffer.alloc(20)
    const values = [SOA_SERIAL, SOA_REFRESH_SECONDS, SOA_RETRY_SECONDS, SOA_EXPIRE_SECONDS]
    for (const [index, value] of values.entries()) timers.writeUInt32BE(value, index * 4)
    timers.writeUInt32BE(this.#settings.negativeTtlSeconds, 16)
    return Buffer.concat([this.#server, nameToWire(`hostmaster.${this.#settings.zone}`), timers])
  }
}

/** One record with the question's name as owner. */
function record(type: number, ttlSeconds: number, data: Buffer): Buffer {
  const head = Buffer.alloc(RECORD_HEAD_BYTES)
  writeHead(head, 0, type, ttlSeconds, data.length)
  return Buffer.concat([head, data])
}

/** What comes before the data of a record that the question's name owns. */
function writeHead(
  bytes: Buffer,
  at: number,
  type: number,
  ttlSeconds: number,
  dataBytes: number,
): void {
  bytes.writeUInt32BE(((QUESTION_POINTER << 16) | type) >>> 0, at)
  bytes.writeUInt16BE(CLASS_IN, at + 4)
  bytes.writeUInt32BE(ttlSeconds, at + 6)
  bytes.writeUInt16BE(dataBytes, at + 10)
}
