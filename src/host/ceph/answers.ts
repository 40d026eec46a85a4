/**
 * What `rbd` and `rados` answer with `--format json`, for the few members that are used. It comes
 * from another program and from a cluster that others can write to, so all of it has limits. Pure.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { parseJson } from '../../lib/json.ts'
import { GIB, KIB } from '../../model/sizes.ts'

/** Names of images, as we give them. */
const NAME_MAX = 128
const LOCKERS_MAX = 10_000
/** Of one image. */
const USERS_MAX = 100
/** A PiB. EC2's largest volume has 64 TiB. */
const IMAGE_MAX_BYTES = KIB * KIB * GIB

/** Of `rbd info`. */
export interface ImageInfo {
  readonly sizeBytes: number
  /** The image that it was cloned from, in the same pool. Null: none. */
  readonly parent: string | null
}

const infoSchema = z.object({
  size: z.int().min(0).max(IMAGE_MAX_BYTES),
  parent: z.object({ pool: z.string().max(NAME_MAX), image: z.string().max(NAME_MAX) }).optional(),
})

/** Undefined when it is not such an answer. A parent in another pool is none of ours. */
export function parseInfo(text: string, pool: string): ImageInfo | undefined {
  const { data } = infoSchema.safeParse(parseJson(text))
  if (data === undefined) return undefined
  const { size, parent } = data
  if (parent !== undefined && parent.pool !== pool) return undefined
  return { sizeBytes: size, parent: parent?.image ?? null }
}

const lockSchema = z.object({
  lockers: z
    .array(z.object({ cookie: z.string().max(NAME_MAX), addr: z.string().max(NAME_MAX) }))
    .max(LOCKERS_MAX),
})

/**
 * The IP address from which whoever took a lock with this cookie reaches the cluster, as the
 * cluster sees it: of `rados lock info`. Undefined: there is no such lock.
 */
export function parseLockAddress(text: string, cookie: string): string | undefined {
  const { data } = lockSchema.safeParse(parseJson(text))
  const locker = data?.lockers.find((one) => one.cookie === cookie)
  return locker === undefined ? undefined : parseClient(locker.addr)?.address
}

/** A process that uses the cluster. */
export interface CephClient {
  readonly address: string
  /** As the blocklist names it: with its port and number. */
  readonly client: string
}

const addresses = z.array(z.object({ address: z.string().max(NAME_MAX) })).max(USERS_MAX)
const statusSchema = z.object({ watchers: addresses })

/** Who has an image open: of `rbd status`. Undefined when it is not such an answer. */
export function parseWatchers(text: string): readonly CephClient[] | undefined {
  return clientsOf(statusSchema.safeParse(parseJson(text)).data?.watchers)
}

/** Who has its lock: of `rbd lock ls`. Undefined when it is not such an answer. */
export function parseLockers(text: string): readonly CephClient[] | undefined {
  return clientsOf(addresses.safeParse(parseJson(text)).data)
}

/** None may be missing: it could write. */
function clientsOf(
  found: z.output<typeof addresses> | undefined,
): readonly CephClient[] | undefined {
  if (found === undefined) return undefined
  const clients = found.flatMap(({ address }) => parseClient(address) ?? [])
  return clients.length < found.length ? undefined : clients
}

/** `ADDRESS:PORT/NONCE`, with brackets around IPv6; newer versions put the protocol before it. */
function parseClient(text: string): CephClient | undefined {
  const [, client = '', six, four] =
    /^(?:(?:any|v1|v2):)?((?:\[([0-9a-f:.]+)\]|([0-9.]+)):\d{1,5}\/\d{1,10})$/.exec(text) ?? []
  const address = six ?? four ?? ''
  return isIP(address) === 0 ? undefined : { address, client }
}
