/**
 * The names of instances: addresses by name, and names by address. Pure.
 *
 * It follows the list of the want by what differs, a piece at a time, because a list may have
 * 100,000 names and queries wait while it works. What is new comes in before what is old goes out,
 * so a name that stays has an address at any time. What is kept depends on the list alone, not on
 * the lists before it.
 */
import { type Ipv4, ipv4ToNumber } from '../../model/addr.ts'
import type { SharedWant } from '../../model/want.ts'
import { MAX_NAME_BYTES } from './packet.ts'

type Names = SharedWant['names']
type Name = Names[number]

/** Entries that are compared, or added, or removed, without a pause: well below a millisecond. */
const PIECE = 2_000

/** The names of one zone. `follow` changes them. */
export class InstanceNames {
  readonly #zone: string
  #list: Names = []
  /** Sorted, and one that is listed twice is in it twice. So are the others. */
  readonly #addresses = new Map<string, number[]>()
  readonly #primary = new Map<number, string[]>()
  /** How many addresses have a primary name, by the first one to three octets and their number. */
  readonly #blocks = new Map<string, number>()
  readonly #unusable: string[] = []

  /** Without names. `zone` is dotted, without a final dot. */
  constructor(zone: string) {
    this.#zone = zone
  }

  /** First labels that cannot be served. */
  get unusable(): readonly string[] {
    return this.#unusable
  }

  /** All names, as first labels. */
  labels(): Iterable<string> {
    return this.#addresses.keys()
  }

  /** All addresses with a primary name. */
  named(): Iterable<number> {
    return this.#primary.keys()
  }

  /** The addresses of a name (`ipv4ToNumber`), ascending. One may be in it several times. */
  addressesOf(label: string): readonly number[] | undefined {
    return this.#addresses.get(label)
  }

  /** The name that a reverse lookup of the address returns: of several, always the same one. */
  nameOf(address: number): string | undefined {
    return this.#primary.get(address)?.[0]
  }

  /** Whether an address that begins with these one to three octets has a primary name. */
  hasBelow(octets: readonly number[]): boolean {
    return this.#blocks.has(octets.join('.'))
  }

  /** Follows the list. Run it to its end; it pauses after each piece of the work. */
  *follow(list: Names): Generator<void, void> {
    const before = this.#list
    if (list === before) return
    const shorter = Math.min(before.length, list.length)
    let start = 0
    while (start < shorter && isSame(before[start], list[start])) {
      start += 1
      if (start % PIECE === 0) yield
    }
    let end = 0
    while (end < shorter - start && isSame(before.at(-1 - end), list.at(-1 - end))) {
      end += 1
      if (end % PIECE === 0) yield
    }
    for (let at = start; at < list.length - end; at += 1) {
      this.#add(list[at])
      if (at % PIECE === 0) yield
    }
    for (let at = start; at < before.length - end; at += 1) {
      this.#remove(before[at])
      if (at % PIECE === 0) yield
    }
    this.#list = list
  }

  #isUsable(label: string): boolean {
    const bytes = label.length + 1 + this.#zone.length + 2
    return /^[a-z0-9_-]{1,63}$/.test(label) && bytes <= MAX_NAME_BYTES
  }

  #add(entry: Name | undefined): void {
    if (entry === undefined) return
    const { name, ip, primary } = entry
    if (!this.#isUsable(name)) {
      this.#unusable.push(name)
      return
    }
    const address = ipv4ToNumber(ip)
    insert(this.#addresses, name, address)
    if (primary && insert(this.#primary, address, name)) this.#count(ip, 1)
  }

  #remove(entry: Name | undefined): void {
    if (entry === undefined) return
    const { name, ip, primary } = entry
    if (!this.#isUsable(name)) {
      this.#unusable.splice(this.#unusable.indexOf(name), 1)
      return
    }
    const address = ipv4ToNumber(ip)
    remove(this.#addresses, name, address)
    if (primary && remove(this.#primary, address, name)) this.#count(ip, -1)
  }

  #count(ip: Ipv4, change: 1 | -1): void {
    for (let end = ip.lastIndexOf('.'); end > 0; end = ip.lastIndexOf('.', end - 1)) {
      const block = ip.slice(0, end)
      const count = (this.#blocks.get(block) ?? 0) + change
      if (count === 0) this.#blocks.delete(block)
      else this.#blocks.set(block, count)
    }
  }
}

function isSame(one: Name | undefined, other: Name | undefined): boolean {
  return one?.name === other?.name && one?.ip === other?.ip && one?.primary === other?.primary
}

/** Inserts into the sorted values of a key. Whether it is their first one. */
function insert<K, V extends string | number>(values: Map<K, V[]>, key: K, value: V): boolean {
  const known = values.get(key)
  if (known === undefined) {
    values.set(key, [value])
    return true
  }
  known.splice(placeOf(known, value), 0, value)
  return false
}

/** Removes one of the values of a key, which has it. Whether it was the last one. */
function remove<K, V extends string | number>(values: Map<K, V[]>, key: K, value: V): boolean {
  const known = values.get(key)
  known?.splice(placeOf(known, value), 1)
  return known?.length === 0 && values.delete(key)
}

/** Where the value is in a sorted list, or belongs (binary search). */
function placeOf<V extends string | number>(sorted: readonly V[], value: V): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const at = sorted[middle]
    if (at !== undefined && at < value) low = middle + 1
    else high = middle
  }
  return low
}
