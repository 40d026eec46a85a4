/**
 * The agent's own copies of the sockets that another process serves. As long as there is one,
 * queries and connections wait in the socket while that process is started again.
 *
 * A new agent takes its copies out of the process that serves, whether or not that answers. It
 * believes only the kernel about them: a socket is used if it is in the right network namespace and
 * bound as wanted, and any other is left alone.
 */
import { fstatSync, readdirSync, readlinkSync } from 'node:fs'
import type { Libc } from '../host/libc.ts'
import type { Descriptors } from '../host/sockets/descriptors.ts'
import type { SocketFacts, SocketInspector } from '../host/sockets/inspect.ts'
import type { ServiceDescriptors, SocketPlace } from '../host/sockets/socket-place.ts'

/** A socket that the agent has. */
export interface ShelvedSocket {
  readonly fd: number
  /** The inode of the socket. No other that exists has it. */
  readonly id: number
  readonly place: SocketPlace
}

/** Descriptors of a process that are looked at. */
const MAX_LOOKED_AT = 50_000

/** The sockets of all namespaces. */
export class SocketShelf {
  readonly #calls: {
    readonly libc: Pick<Libc, 'close'>
    readonly descriptors: Pick<Descriptors, 'copyOf'>
    readonly inspector: Pick<SocketInspector, 'inspect'>
  }
  /** Found in a process, and not asked for yet: by what the kernel says of them. */
  readonly #found = new Map<string, { readonly fd: number; readonly id: number }>()

  constructor(calls: {
    readonly libc: Pick<Libc, 'close'>
    readonly descriptors: Pick<Descriptors, 'copyOf'>
    readonly inspector: Pick<SocketInspector, 'inspect'>
  }) {
    this.#calls = calls
  }

  /** Copies the sockets that this process serves. Errors: the kernel's, as when it has ended. */
  takeFrom(pid: number): void {
    const seen = new Set([...this.#found.values()].map(({ id }) => id))
    for (const name of readdirSync(`/proc/${pid}/fd`).slice(0, MAX_LOOKED_AT)) {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(linkOf(pid, name)) ?? []
      if (inode === undefined || seen.has(Number(inode))) continue
      seen.add(Number(inode))
      this.#copy(pid, Number(name))
    }
  }

  /** The socket at a place: one that was found, or a new one. Errors: the kernel's. */
  open(descriptors: ServiceDescriptors, place: SocketPlace): ShelvedSocket {
    const key = keyOf(factsOf(descriptors.namespace, place))
    const found = this.#found.get(key)
    this.#found.delete(key)
    if (found !== undefined) return { ...found, place }
    const fd = descriptors.open(place)
    return { fd, id: fstatSync(fd).ino, place }
  }

  close({ fd }: ShelvedSocket): void {
    this.#calls.libc.close(fd)
  }

  /** Closes what was found and nobody has asked for. */
  closeFound(): void {
    for (const { fd } of this.#found.values()) this.#calls.libc.close(fd)
    this.#found.clear()
  }

  #copy(pid: number, number: number): void {
    const { libc, descriptors, inspector } = this.#calls
    let fd: number
    try {
      fd = descriptors.copyOf(pid, number)
    } catch {
      // It was closed meanwhile.
      return
    }
    const facts = inspector.inspect(fd)
    const key = facts === null ? null : keyOf(facts)
    if (key === null || this.#found.has(key)) libc.close(fd)
    else this.#found.set(key, { fd, id: fstatSync(fd).ino })
  }
}

function linkOf(pid: number, name: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${name}`)
  } catch {
    return ''
  }
}

function factsOf(
  namespace: number,
  place: SocketPlace,
): Omit<SocketFacts, 'address'> & { readonly address: string } {
  if (place.kind === 'link')
    return { kind: 'udp', namespace, address: '0.0.0.0', port: place.port, index: place.index }
  return { kind: place.kind, namespace, address: place.address, port: place.port, index: 0 }
}

function keyOf({ kind, namespace, address, port, index }: ReturnType<typeof factsOf>): string {
  return `${namespace} ${kind} ${address} ${port} ${index}`
}
