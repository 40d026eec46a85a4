/** Reads which packets security groups refused, from the sets of `plan/flow-log-rules.ts`. */
import type { NamespaceHost as Host } from '../../host/host.ts'
import { ipv4FromBytes } from '../../model/addr.ts'
import { type Count, type ElementCount, increase } from '../../model/counters.ts'
import { NFT_TABLE } from '../../model/names.ts'
import { refusedSets } from '../../plan/flow-log-rules.ts'

const MAIN = { family: 'inet', name: NFT_TABLE } as const
/** Of a name of a link in a key. Every part of a key is padded to four bytes. */
const NAME_BYTES = 16
const AT = { source: 16, destination: 20, protocol: 24, sourcePort: 28, destinationPort: 32 }
/** Of a key with ports. */
const PORTS_BYTES = 36
const NOTHING: Count = { packets: 0, bytes: 0 }

/** Packets of one kind that were refused since the last reading. */
interface Refused extends Count {
  readonly link: string
  readonly direction: 'ingress' | 'egress'
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  readonly protocol: number
}

export interface RefusedReading {
  readonly refused: readonly Refused[]
  /** Links of NICs of which more was refused than is recorded. */
  readonly skipped: ReadonlySet<string>
}

/**
 * A function that reads what was refused since it was last called. The first reading has nothing:
 * what is there was recorded before, or was not to be.
 */
export function createRefusedReader(
  host: Pick<Host, 'elementCounters'>,
): () => Promise<RefusedReading> {
  let last: ReadonlyMap<string, Count> | null = null
  return async () => {
    const now = new Map<string, Count>()
    const refused: Refused[] = []
    const skipped = new Set<string>()
    const more = (set: string, { key, packets, bytes }: ElementCount): Count => {
      const name = `${set} ${key.toString('hex')}`
      const count = { packets, bytes }
      now.set(name, count)
      return last === null ? NOTHING : increase(last.get(name), count)
    }
    for (const direction of ['egress', 'ingress'] as const) {
      const sets = refusedSets(direction)
      for (const set of [sets.ports, sets.other])
        for (const element of await host.elementCounters(MAIN, set)) {
          const count = more(set, element)
          if (count.packets > 0) refused.push({ ...parse(element.key), direction, ...count })
        }
      for (const element of await host.elementCounters(MAIN, sets.skipped))
        if (more(sets.skipped, element).packets > 0) skipped.add(linkOf(element.key))
    }
    last = now
    return { refused, skipped }
  }
}

function linkOf(key: Buffer): string {
  return key.subarray(0, NAME_BYTES).toString('utf8').replace(/\0.*$/s, '')
}

function parse(key: Buffer) {
  const hasPorts = key.length >= PORTS_BYTES
  const address = (at: number) => ipv4FromBytes(key.subarray(at, at + 4)) ?? ''
  return {
    link: linkOf(key),
    source: address(AT.source),
    destination: address(AT.destination),
    protocol: key.readUInt8(AT.protocol),
    sourcePort: hasPorts ? key.readUInt16BE(AT.sourcePort) : 0,
    destinationPort: hasPorts ? key.readUInt16BE(AT.destinationPort) : 0,
  }
}
