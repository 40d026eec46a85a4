/**
 * The lock on each NIC. It drops the packets of instances when all nftables rules are gone, as
 * after `nft flush ruleset`, and no daemon runs that could load them again.
 *
 * It is two BPF programs of traffic control (tc-bpf(8)), which a reload of a firewall does not
 * touch. They stay as long as the link. The first marks packets from the guest as unverified. The
 * main table removes the mark when it has verified the source, and a policy rule drops packets that
 * still have it, also those for the host itself (with `src_valid_mark`, so that reverse path
 * filtering uses the mark). The second drops packets to the guest without the mark of accepted
 * packets. ARP has no marks and passes. Other protocols, such as LLDP or EAPOL, are dropped:
 * nftables does not see them, but programs of the host would.
 */
import { closeSync } from 'node:fs'
import { endianness } from 'node:os'
import { errnoOf } from '../../lib/errno.ts'
import type { Log } from '../../lib/log.ts'
import { ACCEPTED_MARK, UNVERIFIED_MARK } from '../../model/names.ts'
import type { Ip } from '../netlink/ip.ts'
import { type Instruction, loadClassifier } from './bpf.ts'

/** The lock on links of one namespace. */
export interface NicLock {
  /** Locks the link. Returns false when this kernel cannot, which is logged once. */
  close(index: number): Promise<boolean>
  /** Whether links can be locked here, as far as known. */
  readonly isAvailable: boolean
  /** Which of these links are locked. Answers are cached while changes are watched. */
  closed(indexes: readonly number[]): Promise<ReadonlySet<number>>
  /** Whether this link is locked. Reads nothing of other links, and caches nothing. */
  isClosed(index: number): Promise<boolean>
  /** Forgets the cached answer of a link, or of all (null): its classifiers may have changed. */
  invalidate(index: number | null): void
  /** Whether each change of a classifier is from now on reported by `invalidate`. */
  watched(isWatched: boolean): void
}

/** The programs of locks, which are of no namespace. */
export interface LockPrograms {
  /** Loads them at the first call. Errors: the kernel's own. */
  load(): { readonly fromGuest: number; readonly toGuest: number }
  /** Releases their descriptors. The programs stay on their links. */
  end(): void
}

/** linux/if_ether.h, as a packet's protocol is shown to programs: in network order. */
const [ARP, IPV4, IPV6] =
  endianness() === 'LE' ? [0x0608, 0x0008, 0xdd86] : [0x0806, 0x0800, 0x86dd]
/** Offsets in struct __sk_buff (linux/bpf.h). */
const MARK = 8
const PROTOCOL = 16
const VLAN_TCI = 24
/** Of a tag that names a VLAN; 0 is none, only a priority (IEEE 802.1Q, clause 9.6). */
const VLAN_ID = 0xfff
/** Verdicts (linux/pkt_cls.h): go on as if there were no program, or drop. */
const CONTINUE = -1
const SHOT = 2

const load = (to: number, offset: number): Instruction => ({ code: 0x61, to, from: 1, offset })
const store = (from: number, offset: number): Instruction => ({ code: 0x63, to: 1, from, offset })
const set = (to: number, immediate: number): Instruction => ({ code: 0xb7, to, immediate })
const and = (to: number, immediate: number): Instruction => ({ code: 0x54, to, immediate })
const or = (to: number, immediate: number): Instruction => ({ code: 0x44, to, immediate })
const ifEqual = (to: number, immediate: number, offset: number): Instruction => ({
  ...{ code: 0x15, to, immediate, offset },
})
const ifNotEqual = (to: number, immediate: number, offset: number): Instruction => ({
  ...{ code: 0x55, to, immediate, offset },
})
const EXIT: Instruction = { code: 0x95 }

/** Drops what is neither ARP nor IP, or has a VLAN tag. Marks IP packets as unverified. */
const FROM_GUEST: readonly Instruction[] = [
  load(2, PROTOCOL),
  load(3, VLAN_TCI),
  and(3, VLAN_ID),
  ifNotEqual(3, 0, 3),
  ifEqual(2, IPV4, 4),
  ifEqual(2, IPV6, 3),
  ifEqual(2, ARP, 6),
  set(0, SHOT),
  EXIT,
  load(2, MARK),
  and(2, ~ACCEPTED_MARK),
  or(2, UNVERIFIED_MARK),
  store(2, MARK),
  set(0, CONTINUE),
  EXIT,
]
/** Drops what is neither marked as accepted nor ARP. */
const TO_GUEST: readonly Instruction[] = [
  load(2, PROTOCOL),
  ifEqual(2, ARP, 5),
  load(2, MARK),
  and(2, ACCEPTED_MARK),
  ifNotEqual(2, 0, 2),
  set(0, SHOT),
  EXIT,
  set(0, CONTINUE),
  EXIT,
]

/** Kernels and containers without BPF or without its classifier. */
const UNAVAILABLE = ['EPERM', 'ENOSYS', 'ENOENT', 'EOPNOTSUPP', 'EINVAL']

/** The programs, for locks in any number of namespaces. */
export function createLockPrograms(): LockPrograms {
  let loaded: ReturnType<LockPrograms['load']> | null = null
  return {
    load() {
      loaded ??= {
        fromGuest: loadClassifier('atoll_from', FROM_GUEST),
        toGuest: loadClassifier('atoll_to', TO_GUEST),
      }
      return loaded
    },
    end() {
      if (loaded === null) return
      closeSync(loaded.fromGuest)
      closeSync(loaded.toGuest)
      loaded = null
    },
  }
}

/** The lock on links of the namespace of `ip`. */
export function createNicLock(ip: Ip, programs: LockPrograms, log: Log): NicLock {
  let isAvailable = true
  let isWatched = false
  const seenClosed = new Set<number>()
  let doubts = 0
  const isClosed = async (index: number): Promise<boolean> => {
    if (seenClosed.has(index)) return true
    // If it is invalidated meanwhile, the answer is not cached.
    const before = doubts
    const closed = await ip.hasClassifiers(index)
    if (closed && isWatched && doubts === before) seenClosed.add(index)
    return closed
  }
  const give = (error: unknown) => {
    if (!UNAVAILABLE.includes(errnoOf(error) ?? '')) throw error
    isAvailable = false
    log.warn(
      { error },
      'cannot lock links with BPF: "nft flush ruleset" would open them for a moment',
    )
    return false
  }
  return {
    get isAvailable() {
      return isAvailable
    },
    async close(index) {
      if (!isAvailable) return false
      try {
        await ip.addClassifiers(index, programs.load())
        return true
      } catch (error) {
        if (errnoOf(error) === 'ENODEV') throw error
        return give(error)
      }
    },
    async closed(indexes) {
      const found = new Set<number>()
      if (!isAvailable) return found
      const classified = await ip.classified()
      for (const index of indexes)
        if (classified.has(index) && (await isClosed(index))) found.add(index)
      return found
    },
    isClosed: async (index) => isAvailable && (await ip.hasClassifiers(index)),
    invalidate(index) {
      doubts += 1
      if (index === null) seenClosed.clear()
      else seenClosed.delete(index)
    },
    watched(watched) {
      isWatched = watched
      seenClosed.clear()
    },
  }
}
