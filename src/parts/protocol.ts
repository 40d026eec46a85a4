/**
 * What the agent and the process of DHCP, DNS and metadata say to each other: one JSON object a
 * line, over a UNIX stream socket. Descriptors come beside it, in datagrams (`passing.ts`).
 *
 * The agent says what is wanted, as differences to what it said before on the same connection. It
 * believes nothing that comes back beyond the types below, and waits for nothing for long. Pure.
 */
import type { SocketPlace } from '../host/sockets/socket-place.ts'
import { parseIpv4 } from '../model/addr.ts'
import type { InstanceId } from '../model/ids.ts'
import { MIB } from '../model/sizes.ts'
import type { InstanceWant, SharedWant } from '../model/want.ts'
import type { DhcpSettings } from '../services/dhcp/options.ts'
import type { DnsSettings } from '../services/dns/dns.ts'
import type { TreeSettings } from '../services/metadata/tree.ts'

/** What answers instances in each network namespace, in the order in which it is applied. */
export const ANSWERS = ['dhcp', 'dns', 'metadata'] as const
export type AnswerName = (typeof ANSWERS)[number]

/** A network namespace: the machine's own, or the number of a VPC. */
export type NamespaceName = string
/** The machine's own. */
export const MACHINE: NamespaceName = 'machine'

/** The longest line, in characters. An instance has up to 0.1 MiB, metrics less than 1. */
export const MAX_LINE = 2 * MIB
/** Names in one line: as many as are read in about a millisecond. */
export const NAMES_IN_LINE = 500
/** Sockets of all namespaces. */
export const MAX_SOCKETS = 20_000
/** Namespaces that are served at once. */
export const MAX_NAMESPACES = 5_000

/** The same for all instances, for the lifetime of the process. */
export interface ServicesSettings {
  readonly dhcp: DhcpSettings
  readonly dns: DnsSettings
  readonly metadata: TreeSettings
  /** Signs tokens of the metadata service; in base64. */
  readonly key: string
  readonly log: {
    readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'
    readonly format: 'auto' | 'json' | 'pretty'
  }
}

export type NameWant = SharedWant['names'][number]
export type VpcWant = Pick<SharedWant['vpcs'][number], 'id' | 'cidr'>
export type SubnetWant = Pick<SharedWant['subnets'][number], 'id' | 'cidr' | 'gateway'>

/** Replaces `removed` names from position `at` of the list before, by others. */
export interface NameEdit {
  readonly at: number
  readonly removed: number
  readonly added: readonly NameWant[]
}

/** The credentials of an instance's role, as its metadata shows them. */
export interface RoleDocument {
  readonly instance: InstanceId
  /** The role's id. */
  readonly role: string
  readonly document: object
}

/** A descriptor that was passed, by its inode, and where it listens. */
export interface PassedSocket {
  readonly id: number
  readonly place: SocketPlace
}

/** What the agent says. Those with an `n` are answered. */
export type Order =
  /** First of all. `session` is in each datagram that belongs to this connection. */
  | {
      readonly kind: 'hello'
      readonly n: number
      readonly session: string
      readonly settings: ServicesSettings
    }
  | {
      readonly kind: 'sockets'
      readonly n: number
      readonly namespace: NamespaceName
      readonly passed: readonly PassedSocket[]
      readonly dropped: readonly number[]
    }
  /** All instances that differ; those that are gone. */
  | {
      readonly kind: 'instances'
      readonly namespace: NamespaceName
      readonly changed: readonly InstanceWant[]
      readonly gone: readonly InstanceId[]
    }
  | {
      readonly kind: 'networks'
      readonly namespace: NamespaceName
      readonly vpcs: readonly VpcWant[]
      readonly subnets: readonly SubnetWant[]
    }
  /** In ascending order. Applied together with the next `apply`. */
  | {
      readonly kind: 'names'
      readonly namespace: NamespaceName
      readonly edits: readonly NameEdit[]
    }
  /** All of them. */
  | {
      readonly kind: 'roles'
      readonly namespace: NamespaceName
      readonly documents: readonly RoleDocument[]
    }
  | {
      readonly kind: 'apply'
      readonly n: number
      readonly namespace: NamespaceName
      readonly answer: AnswerName
    }
  | { readonly kind: 'end'; readonly namespace: NamespaceName }
  | { readonly kind: 'metrics' | 'ping'; readonly n: number }
  /** Ends the process, when what it has begun is done. */
  | { readonly kind: 'retire' }

/** The answer to the order with this `n`. */
export interface Reply {
  readonly n: number
  /** What could not be done. */
  readonly error?: string
  /** To `hello`: what code it runs, whether it runs with other settings already, its number. */
  readonly build?: string
  readonly differs?: boolean
  readonly pid?: number
  /** To `metrics`. */
  readonly text?: string
}

/** Something that the serving process says unasked: it is about to end, and wants a successor. */
export interface Notice {
  readonly retiring: true
}

/** Cuts a stream into lines. `tooLong` is called once a line is too long; then it reads no more. */
export function createLineReader(
  onLine: (line: string) => void,
  tooLong: () => void,
): (text: string) => void {
  let rest = ''
  let isOver = false
  return (text) => {
    if (isOver) return
    const lines = text.split('\n')
    lines[0] = rest + (lines[0] ?? '')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
    if (rest.length <= MAX_LINE) return
    isOver = true
    tooLong()
  }
}

/** A line of the serving process. Null: it is none that it may say. */
export function parseReply(line: string): Reply | Notice | null {
  const value = parseObject(line)
  if (value === null) return null
  if (value['retiring'] === true) return { retiring: true }
  const { n, error, build, differs, pid, text } = value
  if (typeof n !== 'number' || !Number.isSafeInteger(n)) return null
  return {
    n,
    ...(typeof error === 'string' ? { error: error.slice(0, 2000) } : {}),
    ...(typeof build === 'string' ? { build } : {}),
    ...(typeof differs === 'boolean' ? { differs } : {}),
    ...(isCount(pid) ? { pid: Number(pid) } : {}),
    ...(typeof text === 'string' ? { text } : {}),
  }
}

/**
 * A line of the agent. Null: it is none that it may say. Its values come from wants, which the
 * agent has checked: here only what this process relies on is.
 */
export function parseOrder(line: string): Order | null {
  const value = parseObject(line)
  if (value === null || !isKnownOrder(value)) return null
  return value as unknown as Order
}

function parseObject(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isKnownOrder(value: Record<string, unknown>): boolean {
  const { kind, n, namespace } = value
  const isPlaced = typeof namespace === 'string' && /^(?:machine|[1-9]\d{0,9})$/.test(namespace)
  const isAsked = Number.isSafeInteger(n)
  if (isPlaced && tellsOfNamespace(value)) return true
  switch (kind) {
    case 'hello':
      return isAsked && typeof value['session'] === 'string' && isObject(value['settings'])
    case 'sockets':
      return (
        isPlaced &&
        isAsked &&
        isListOf(value['passed'], isPassed) &&
        isListOf(value['dropped'], isCount)
      )
    case 'apply':
      return isPlaced && isAsked && ANSWERS.some((name) => name === value['answer'])
    case 'end':
      return isPlaced
    case 'metrics':
    case 'ping':
      return isAsked
    default:
      return kind === 'retire'
  }
}

/** Whether it says what a namespace should have. */
function tellsOfNamespace(value: Record<string, unknown>): boolean {
  switch (value['kind']) {
    case 'instances':
      return isListOf(value['changed'], isInstance) && isListOf(value['gone'], isText)
    case 'networks':
      return isListOf(value['vpcs'], hasCidr) && isListOf(value['subnets'], isSubnet)
    case 'names':
      return isListOf(value['edits'], isEdit)
    case 'roles':
      return isListOf(value['documents'], isRole)
    default:
      return false
  }
}

function isListOf(value: unknown, isOne: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne)
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isAddress(value: unknown): boolean {
  return typeof value === 'string' && parseIpv4(value) !== undefined
}

function hasCidr(value: unknown): boolean {
  if (!isObject(value) || !isObject(value['cidr'])) return false
  const { network, prefix } = value['cidr']
  return isAddress(network) && isCount(prefix) && Number(prefix) <= 32
}

function isSubnet(value: unknown): boolean {
  return hasCidr(value) && isAddress((value as Record<string, unknown>)['gateway'])
}

function isInstance(value: unknown): boolean {
  if (!isObject(value) || typeof value['id'] !== 'string') return false
  return isListOf(
    value['nics'],
    (nic) => isObject(nic) && isText(nic['id']) && isAddress(nic['ip']),
  )
}

function isEdit(value: unknown): boolean {
  if (!isObject(value) || !isCount(value['at']) || !isCount(value['removed'])) return false
  return isListOf(
    value['added'],
    (name) => isObject(name) && isText(name['name']) && isAddress(name['ip']),
  )
}

function isRole(value: unknown): boolean {
  if (!isObject(value) || !isText(value['instance']) || !isText(value['role'])) return false
  return isObject(value['document'])
}

function isPassed(value: unknown): boolean {
  if (!isObject(value) || !isCount(value['id']) || !isObject(value['place'])) return false
  const { kind, address, port, link, index } = value['place']
  if (!isCount(port)) return false
  return kind === 'link' ? isText(link) && isCount(index) : isAddress(address)
}
