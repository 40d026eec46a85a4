/**
 * Reads the generation of nftables rules, and counters, over netlink.
 *
 * The generation is read in every pass, and counters whenever somebody asks for metrics. Starting a
 * program for each would cost far more. Packets do not wait for it: the kernel takes no lock for a
 * dump. Message layout: linux/netfilter/nf_tables.h. Numbers in attributes are in network byte
 * order.
 */
import { AttrStream, parseAttributes } from 'netlink'
import { errnoOf } from '../../lib/errno.ts'
import {
  type Count,
  type CounterTable,
  type CounterValues,
  counterKey,
  type ElementCount,
} from '../../model/counters.ts'
import { attributesOf } from '../netlink/attributes.ts'
import type { Netlink } from '../netlink/netlink.ts'
import { familyName } from './messages.ts'

export interface NftState {
  /** Advances with every transaction of any program in this namespace. */
  generation(): Promise<number>
  /** Family and name of every table, such as `inet atoll`. */
  tables(): Promise<readonly string[]>
  /** Every named counter of all tables, by `counterKey`, in one dump. */
  counters(): Promise<CounterValues>
  /**
   * The counters of the elements of a set whose keys are names of links, by name. Empty if there is
   * no such set.
   */
  linkCounters(table: CounterTable, set: string): Promise<ReadonlyMap<string, Count>>
  /** Those of a set with keys of any type. Empty if there is no such set. */
  elementCounters(table: CounterTable, set: string): Promise<readonly ElementCount[]>
  close(): void
}

/** NFNL_SUBSYS_NFTABLES (linux/netfilter/nfnetlink.h), the upper byte of a message type. */
const SUBSYSTEM = 10 << 8
const GETGEN = SUBSYSTEM | 16
const GETTABLE = SUBSYSTEM | 1
const GETSETELEM = SUBSYSTEM | 13
const GETOBJ = SUBSYSTEM | 19
const GENERATION_ID = 1
const TABLE_NAME = 1
const OBJECT_TABLE = 1
const OBJECT_NAME = 2
const OBJECT_TYPE = 3
const OBJECT_DATA = 4
const OBJECT_TYPE_COUNTER = 1
const COUNTER_BYTES = 1
const COUNTER_PACKETS = 2
const LIST = { table: 1, set: 2, elements: 3 } as const
const ELEMENT = { key: 1, expression: 7 } as const
const DATA_VALUE = 1
const EXPRESSION_DATA = 2
/** NFPROTO_INET and NFPROTO_ARP (linux/netfilter.h). */
const FAMILIES = { inet: 1, arp: 3 } as const
const FAMILY_NAMES: ReadonlyMap<number | undefined, CounterTable['family']> = new Map([
  [FAMILIES.inet, 'inet'],
  [FAMILIES.arp, 'arp'],
])
/** struct nfgenmsg: family, version, resource id. */
const HEADER_BYTES = 4

/** Closing it closes the socket. */
export function createNftState(netlink: Netlink): NftState {
  const elementCounters: NftState['elementCounters'] = async ({ family, name }, set) => {
    const out = new AttrStream()
    out.emit(Buffer.of(FAMILIES[family], 0, 0, 0))
    out.push(LIST.table, Buffer.from(`${name}\0`))
    out.push(LIST.set, Buffer.from(`${set}\0`))
    try {
      return (await netlink.dump(GETSETELEM, out.bufs)).flatMap(decodeElements)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return []
      throw error
    }
  }
  return {
    generation: async () => {
      const reply = await netlink.get(GETGEN, [Buffer.alloc(HEADER_BYTES)])
      return attributesOf(reply.subarray(HEADER_BYTES)).get(GENERATION_ID)?.readUInt32BE() ?? 0
    },
    tables: async () =>
      (await netlink.dump(GETTABLE, [Buffer.alloc(HEADER_BYTES)])).flatMap((table) => {
        const name = text(attributesOf(table.subarray(HEADER_BYTES)).get(TABLE_NAME))
        return name === undefined ? [] : [`${familyName(table[0])} ${name}`]
      }),
    counters: async () => {
      const objects = await netlink.dump(GETOBJ, [Buffer.alloc(HEADER_BYTES)])
      return new Map(objects.flatMap(decodeCounter))
    },
    elementCounters,
    linkCounters: async (table, set) =>
      new Map(
        (await elementCounters(table, set)).map(({ key, packets, bytes }) => [
          text(key) ?? '',
          { packets, bytes },
        ]),
      ),
    close: () => netlink.close(),
  }
}

function decodeCounter(object: Buffer): readonly (readonly [string, Count])[] {
  const family = FAMILY_NAMES.get(object[0])
  const found = attributesOf(object.subarray(HEADER_BYTES))
  if (found.get(OBJECT_TYPE)?.readUInt32BE() !== OBJECT_TYPE_COUNTER) return []
  const name = text(found.get(OBJECT_NAME))
  const data = found.get(OBJECT_DATA)
  const table = text(found.get(OBJECT_TABLE))
  if (name === undefined || data === undefined || table === undefined) return []
  const count = decodeCount(data)
  if (family === undefined || count === undefined) return []
  return [[counterKey({ family, name: table }, name), count]]
}

/** The elements in one message of a dump. */
function decodeElements(message: Buffer): readonly ElementCount[] {
  const elements = attributesOf(message.subarray(HEADER_BYTES)).get(LIST.elements)
  const found: ElementCount[] = []
  if (elements === undefined) return found
  parseAttributes(elements, ({ data }) => {
    const element = attributesOf(data)
    const [nested, expression] = [element.get(ELEMENT.key), element.get(ELEMENT.expression)]
    if (nested === undefined || expression === undefined) return
    const key = attributesOf(nested).get(DATA_VALUE)
    const count = decodeCount(attributesOf(expression).get(EXPRESSION_DATA))
    if (key !== undefined && count !== undefined) found.push({ key, ...count })
  })
  return found
}

function decodeCount(data: Buffer | undefined): Count | undefined {
  if (data === undefined) return undefined
  const counts = attributesOf(data)
  const [packets, bytes] = [counts.get(COUNTER_PACKETS), counts.get(COUNTER_BYTES)]
  if (packets === undefined || bytes === undefined) return undefined
  return { packets: Number(packets.readBigUInt64BE()), bytes: Number(bytes.readBigUInt64BE()) }
}

function text(bytes: Buffer | undefined): string | undefined {
  return bytes?.toString('utf8').replace(/\0.*$/s, '')
}
