/**
 * Watches the nftables transactions in the namespace and remembers which tables they changed. So a
 * change of Atoll's tables is distinguished from those of Docker or fail2ban without listing rules.
 *
 * For each transaction the kernel sends the changed objects, then the number of the new generation
 * (nfnetlink, NFNLGRP_NFTABLES; layout: linux/netfilter/nf_tables.h). When there is too much, it
 * drops messages and reports it.
 */

import { Protocol, parseAttributes, RawNetlinkSocket } from 'netlink'
import { nextTurn } from '../../lib/clock.ts'
import { KIB, MIB } from '../../model/sizes.ts'
import { familyOf, HEADER_BYTES, messagesIn, nameIn, SUBSYSTEM } from './messages.ts'

/** NFNLGRP_NFTABLES of linux/nfnetlink.h. */
const RULES_GROUP = 7
const BUFFER_BYTES = 4 * MIB
const SEND_BUFFER_BYTES = 64 * KIB
/** NFT_MSG_NEWGEN. */
const NEW_GENERATION = (SUBSYSTEM << 8) | 15
/**
 * The first attribute of every object is its table's name. That of the last message is the
 * generation.
 */
const FIRST_ATTRIBUTE = 1
/** Maximum number of remembered tables. With more, the changes before are forgotten. */
const TABLES_LIMIT = 1_024
/** The kernel has already sent everything, so it only has to be read. */
const TURNS_LIMIT = 50
/** Before every generation. */
const NOTHING = -1

export interface RulesWatch {
  /**
   * Tables, such as `inet atoll`, that transactions have changed after generation `from`, up to
   * generation `now`, which was just read from the kernel. Null when unknown.
   */
  changed(from: number, now: number): Promise<ReadonlySet<string> | null>
  /**
   * Calls `heard` for each transaction, and when some may have been missed, until the returned
   * function is called.
   */
  onChange(heard: (tables: ReadonlySet<string> | null) => void): () => void
  close(): void
}

/**
 * Opens a socket in the calling thread's network namespace, synchronously. `generation` reads the
 * generation of the rules.
 */
export function openRulesWatch(generation: () => Promise<number>): RulesWatch {
  const socket = new RawNetlinkSocket(Protocol.NETFILTER, {
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: SEND_BUFFER_BYTES,
  })
  const memory = createChangeHistory()
  const listeners = new Set<(tables: ReadonlySet<string> | null) => void>()
  const tell = (tables: ReadonlySet<string> | null) => {
    for (const heard of listeners) heard(tables)
  }
  socket.unref()
  socket.on('message', (bytes) => {
    for (const tables of memory.take(bytes)) tell(tables)
  })
  socket.on('truncatedMessage', () => miss())
  socket.on('error', () => miss())
  socket.addMembership(RULES_GROUP)

  function miss(): void {
    memory.forget(null)
    // The dropped messages belong to transactions that have ended.
    generation()
      .then(memory.forget, () => undefined)
      .finally(() => tell(null))
  }

  return {
    async changed(from, now) {
      if (from === now) return new Set()
      for (let turn = 0; turn < TURNS_LIMIT && memory.seen() < now; turn++) await nextTurn()
      return memory.seen() < now ? null : memory.changedAfter(from)
    },
    onChange(heard) {
      listeners.add(heard)
      return () => listeners.delete(heard)
    },
    close: () => socket.close(),
  }
}

/** What transactions changed, by generation. */
export function createChangeHistory() {
  const lastChanged = new Map<string, number>()
  let open = new Set<string>()
  let seen = NOTHING
  /** From this generation on, all changes are known. */
  let knownFrom = Number.POSITIVE_INFINITY

  /**
   * The tables of a transaction whose last message this is. Null: an earlier message was missed.
   */
  const close = (generation: number): ReadonlySet<string> | null => {
    const tables = open
    open = new Set()
    // It is older than a missed message.
    if (generation <= seen) return null
    const isNext = generation === seen + 1
    if (!isNext || lastChanged.size > TABLES_LIMIT) {
      lastChanged.clear()
      knownFrom = isNext ? seen : generation
    }
    for (const table of tables) lastChanged.set(table, generation)
    seen = generation
    return isNext ? tables : null
  }

  return {
    /**
     * Parses what a socket has received. Returns the tables of each transaction that ends in it, or
     * null where some may be missing.
     */
    take(bytes: Buffer): readonly (ReadonlySet<string> | null)[] {
      const ended: (ReadonlySet<string> | null)[] = []
      for (const { type, body } of messagesIn(bytes))
        if (type === NEW_GENERATION) ended.push(close(firstAttribute(body)?.readUInt32BE() ?? 0))
        else if (type >> 8 === SUBSYSTEM) open.add(tableOf(body))
      return ended
    },
    /** The last generation in a message. */
    seen: () => seen,
    /**
     * Something was missed. Only changes after this generation will be known; null: none for now.
     */
    forget(generation: number | null): void {
      seen = generation ?? NOTHING
      knownFrom = generation ?? Number.POSITIVE_INFINITY
      lastChanged.clear()
      open = new Set()
    },
    /** Null when unknown. */
    changedAfter(from: number): ReadonlySet<string> | null {
      if (from < knownFrom) return null
      return new Set([...lastChanged].flatMap(([table, at]) => (at > from ? [table] : [])))
    },
  }
}

function tableOf(message: Buffer): string {
  return `${familyOf(message)} ${nameIn(firstAttribute(message)) ?? ''}`
}

function firstAttribute(message: Buffer): Buffer | undefined {
  let found: Buffer | undefined
  parseAttributes(message.subarray(HEADER_BYTES), ({ type, data }) => {
    if (type === FIRST_ATTRIBUTE) found ??= data
  })
  return found
}
