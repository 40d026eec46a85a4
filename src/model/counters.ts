/** Counters of packets in nft tables: what they counted, and how they are named. Pure. */

/** What a counter has counted. */
export interface Count {
  readonly packets: number
  readonly bytes: number
}

/** Which table a counter is in. */
export interface CounterTable {
  readonly family: 'inet' | 'arp'
  readonly name: string
}

/** What counters have counted, by `counterKey`. */
export type CounterValues = ReadonlyMap<string, Count>

/** An element of a set, by its key as the kernel has it. */
export interface ElementCount extends Count {
  readonly key: Buffer
}

/** The key of a named counter, or of a set's element that has a counter. */
export function counterKey({ family, name }: CounterTable, object: string, element = ''): string {
  return element === '' ? `${family} ${name} ${object}` : `${family} ${name} ${object} ${element}`
}

/** What was counted between two readings. Somebody may have set the counter to zero. */
export function increase(before: Count | undefined, now: Count): Count {
  if (before === undefined || now.packets < before.packets || now.bytes < before.bytes) return now
  return { packets: now.packets - before.packets, bytes: now.bytes - before.bytes }
}
