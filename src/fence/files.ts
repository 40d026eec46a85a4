/**
 * The files of the process `fence`, all in one directory of the runtime directory, which is in
 * memory: what the agent orders, and what the next process must know. They are read as if anybody
 * had written them.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { codeOf } from '../lib/errno.ts'
import { below } from '../lib/paths.ts'
import { type Ipv4, parseIpv4 } from '../model/addr.ts'
import type { Guarded } from '../model/guarded.ts'
import { type HostName, parseHostName, parseId } from '../model/ids.ts'
import { MIB } from '../model/sizes.ts'
import type { Membership } from '../plan/failover/membership.ts'
import type { FailoverSettings } from '../plan/failover/times.ts'
import type { KeptPermission } from './keeper.ts'

/** Members of a cloud, and instances of a host, at most. */
const MAX_MEMBERS = 1_000
const MAX_GUARDED = 5_000
/** Containers, links and addresses of one instance. */
const MAX_EACH = 64
const MAX_SETTING_MS = 60_000
const MAX_FILE_BYTES = 8 * MIB
const MAX_USER = 0xffff_fffe
const MAX_VPC = 65_535
const OWNER_ONLY = 0o600

/** What the agent says at the start, and when it has changed. */
export interface Orders {
  /** Names the code that the agent has for the process. */
  readonly build: string
  readonly host: HostName
  /** Authenticates datagrams; in base64. */
  readonly key: string
  /** Where this host receives them. */
  readonly address: Ipv4
  readonly port: number
  /** Null: there is none. */
  readonly watchdog: string | null
  /** The same on all hosts. */
  readonly settings: FailoverSettings
  readonly membership: Membership
  /** Where each member receives them. */
  readonly addresses: ReadonlyMap<HostName, Ipv4>
}

/** The files of a directory. Writing errors: those of the file system. */
export function openFenceFiles(directory: string) {
  const place = (name: 'orders' | 'permission' | 'guarded') => below(directory, `${name}.json`)
  return {
    /** Null: there are none, or none that can be read. */
    readOrders: (): Orders | null => parseOrders(readJson(place('orders'))),
    writeOrders: (orders: Orders) =>
      replace(place('orders'), {
        ...orders,
        addresses: Object.fromEntries(orders.addresses),
      }),
    /** The permission of the process before, on this start of the machine. */
    readPermission: (boot: string): KeptPermission | null =>
      parsePermission(readJson(place('permission')), boot),
    writePermission: (boot: string, { term, grantedAtMs, id }: KeptPermission) =>
      replace(place('permission'), { boot, term, grantedAtMs, id }),
    /** Null: they cannot be read. */
    readGuarded: (): readonly Guarded[] | null => {
      const found = readJson(place('guarded'))
      return found === undefined ? [] : parseGuarded(found)
    },
    writeGuarded: (guarded: readonly Guarded[]) => replace(place('guarded'), guarded),
  }
}

/** Undefined: there is no file. Null: it cannot be read. */
function readJson(path: string): unknown {
  try {
    const bytes = readFileSync(path)
    return bytes.length > MAX_FILE_BYTES ? null : JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? undefined : null
  }
}

/** Whole or not at all: renaming is atomic, and the memory outlives the process. */
function replace(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value), { mode: OWNER_ONLY })
  renameSync(`${path}.new`, path)
}

type Fields = Readonly<Record<string, unknown>>

function fieldsOf(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null
}

/** Each parsed. Null if one cannot be, or if it is no list, or a longer one. */
function listOf<T>(
  value: unknown,
  limit: number,
  parse: (item: unknown) => T | null | undefined,
): readonly T[] | null {
  if (!Array.isArray(value) || value.length > limit) return null
  const parsed = value.map(parse)
  const whole = parsed.filter((item) => item !== null && item !== undefined)
  return whole.length === parsed.length ? whole : null
}

function textOf(value: unknown, pattern: RegExp): string | null {
  return typeof value === 'string' && pattern.test(value) ? value : null
}

function numberOf(value: unknown, most: number): number | null {
  const isOne = typeof value === 'number' && Number.isSafeInteger(value)
  return isOne && value >= 0 && value <= most ? value : null
}

const hostOf = (value: unknown) => (typeof value === 'string' ? parseHostName(value) : undefined)
const addressOf = (value: unknown) => (typeof value === 'string' ? parseIpv4(value) : undefined)

/** Orders in the form of their file. Null: they are none. */
function parseOrders(value: unknown): Orders | null {
  const fields = fieldsOf(value)
  const membership = fieldsOf(fields?.['membership'])
  const listed = fieldsOf(fields?.['addresses'])
  if (fields === null || membership === null || listed === null) return null
  const members = listOf(membership['members'], MAX_MEMBERS, hostOf)
  const version = numberOf(membership['version'], Number.MAX_SAFE_INTEGER)
  const addresses = new Map<HostName, Ipv4>()
  for (const [name, text] of Object.entries(listed)) {
    const [host, ip] = [hostOf(name), addressOf(text)]
    if (host === undefined || ip === undefined) return null
    addresses.set(host, ip)
  }
  const host = hostOf(fields['host'])
  const address = addressOf(fields['address'])
  const port = numberOf(fields['port'], 65_535)
  const build = textOf(fields['build'], /^.{1,4096}$/)
  const key = textOf(fields['key'], /^[A-Za-z0-9+/]{43}=$/)
  const watchdog = fields['watchdog'] === null ? null : textOf(fields['watchdog'], /^.{1,200}$/)
  if (members === null || version === null || host === undefined || address === undefined)
    return null
  const settings = settingsOf(fields['settings'])
  if (port === null || build === null || key === null || settings === null) return null
  if (watchdog === null && fields['watchdog'] !== null) return null
  return {
    ...{ build, host, key, address, port, watchdog, settings, addresses },
    membership: { version, members },
  }
}

function settingsOf(value: unknown): FailoverSettings | null {
  const fields = fieldsOf(value)
  const ms = (name: keyof FailoverSettings) => numberOf(fields?.[name], MAX_SETTING_MS) ?? 0
  const settings = {
    askMs: ms('askMs'),
    replyMs: ms('replyMs'),
    stopMs: ms('stopMs'),
    watchdogStepMs: ms('watchdogStepMs'),
    durableMs: ms('durableMs'),
  }
  return Object.values(settings).includes(0) ? null : settings
}

function parsePermission(value: unknown, boot: string): KeptPermission | null {
  const fields = fieldsOf(value)
  if (fields === null || fields['boot'] !== boot) return null
  const term = numberOf(fields['term'], Number.MAX_SAFE_INTEGER)
  const grantedAtMs = fields['grantedAtMs']
  const id = textOf(fields['id'], /^(?:[0-9a-f]{32})?$/)
  if (term === null || id === null) return null
  if (grantedAtMs !== null && (typeof grantedAtMs !== 'number' || grantedAtMs < 0)) return null
  return { term, grantedAtMs, id }
}

/** What is to be stopped, as the agent or the file says it. Null: it is not all understood. */
export function parseGuarded(value: unknown): readonly Guarded[] | null {
  return listOf(value, MAX_GUARDED, guardedOf)
}

function guardedOf(value: unknown): Guarded | null {
  const fields = fieldsOf(value)
  if (fields === null) return null
  const { instance: id, user: number } = fields
  const instance = typeof id === 'string' ? parseId('i', id) : undefined
  const containers = listOf(fields['containers'], MAX_EACH, (one) => textOf(one, /^[0-9a-f]{64}$/))
  // Never root, and nobody that a distribution has made.
  const user = number === null ? null : numberOf(number, MAX_USER)
  const isUser = number === null || (user !== null && user >= 1_000)
  const links = listOf(fields['links'], MAX_EACH, linkOf)
  const addresses = listOf(fields['addresses'], MAX_EACH, addressOf)
  if (instance === undefined || containers === null || !isUser) return null
  if (links === null || addresses === null) return null
  return { instance, containers, user, links, addresses }
}

function linkOf(value: unknown): Guarded['links'][number] | null {
  const fields = fieldsOf(value)
  const name = textOf(fields?.['name'], /^at-[a-z0-9-]{1,12}$/)
  const network = fields?.['network'] === null ? null : numberOf(fields?.['network'], MAX_VPC)
  if (name === null || (network === null && fields?.['network'] !== null)) return null
  return { name, network }
}
