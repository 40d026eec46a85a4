/**
 * Reads the generation of nftables rules, and named counters, over netlink.
 *
 * Both are read in every pass, where starting a program for each would cost more than the rest of
 * the pass. Message layout: linux/netfilter/nf_tables.h. Numbers in attributes are in network byte
 * order.
 */
import { AttrStream } from 'netlink'
import { errnoOf } from '../../lib/errno.ts'
import { attributesOf } from '../netlink/attributes.ts'
import type { Netlink } from '../netlink/netlink.ts'

export interface NftState {
  /** Advances with every transaction of any program in this namespace. */
  generation(): Promise<number>
  /** Packets of every named counter of a table. Empty if there is no such table. */
  counters(family: 'inet' | 'arp', table: string): Promise<ReadonlyMap<string, number>>
  close(): void
}

/** NFNL_SUBSYS_NFTABLES (linux/netfilter/nfnetlink.h), the upper byte of a message type. */
const SUBSYSTEM = 10 << 8
const GETGEN = SUBSYSTEM | 16
const GETOBJ = SUBSYSTEM | 19
const GENERATION_ID = 1
const OBJECT_TABLE = 1
const OBJECT_NAME = 2
const OBJECT_TYPE = 3
const OBJECT_DATA = 4
const OBJECT_TYPE_COUNTER = 1
const COUNTER_PACKETS = 2
/** NFPROTO_INET and NFPROTO_ARP (linux/netfilter.h). */
const FAMILIES = { inet: 1, arp: 3 } as const
/** struct nfgenmsg: family, version, resource id. */
const HEADER_BYTES = 4

/** Closing it closes the socket. */
export function createNftState(netlink: Netlink): NftState {
  return {
    generation: async () => {
      const reply = await netlink.get(GETGEN, [Buffer.alloc(HEADER_BYTES)])
      return attributesOf(reply.subarray(HEADER_BYTES)).get(GENERATION_ID)?.readUInt32BE() ?? 0
    },
    counters: async (family, table) => {
      const out = new AttrStream()
      out.emit(Buffer.of(FAMILIES[family], 0, 0, 0))
      out.push(OBJECT_TABLE, Buffer.from(`${table}\0`))
      try {
        return new Map(
          (await netlink.dump(GETOBJ, out.bufs)).flatMap((object) => decodeCounter(object, table)),
        )
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return new Map()
        throw error
      }
    },
    close: () => netlink.close(),
  }
}

function decodeCounter(object: Buffer, table: string): readonly (readonly [string, number])[] {
  const found = attributesOf(object.subarray(HEADER_BYTES))
  const name = text(found.get(OBJECT_NAME))
  const data = found.get(OBJECT_DATA)
  if (name === undefined || data === undefined || text(found.get(OBJECT_TABLE)) !== table) return []
  if (found.get(OBJECT_TYPE)?.readUInt32BE() !== OBJECT_TYPE_COUNTER) return []
  const packets = attributesOf(data).get(COUNTER_PACKETS)
  return packets === undefined ? [] : [[name, Number(packets.readBigUInt64BE())]]
}

function text(bytes: Buffer | undefined): string | undefined {
  return bytes?.toString('utf8').replace(/\0$/, '')
}
