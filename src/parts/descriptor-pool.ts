/**
 * The sockets that the agent has handed over to this process, by where they listen.
 *
 * The pool keeps each descriptor, and gives copies to Node, which closes them. So a socket that a
 * service closes and opens again is the same, and a new agent finds all of them here.
 */

import { fstatSync } from 'node:fs'
import type { Host, ServiceSockets } from '../host/host.ts'
import type { Libc } from '../host/libc.ts'
import { giveToNode } from '../host/sockets/bound.ts'
import type { Passing } from '../host/sockets/passing.ts'
import type { SocketPlace } from '../host/sockets/socket-place.ts'
import { createLinkSockets, type LinkSocketOf } from '../host/sockets/udp.ts'
import { unavailable } from '../model/errors.ts'
import { MAX_SOCKETS, type NamespaceName, type PassedSocket } from './protocol.ts'

/** What the services of one namespace open their sockets by. */
export interface HandedSockets {
  readonly sockets: ServiceSockets
  readonly host: Pick<Host, 'nicIndexes' | 'bindUdp'>
}

interface Held {
  readonly fd: number
  readonly namespace: NamespaceName
  readonly place: SocketPlace
}

/** Nothing is handed over at first. `inbox` is the socket that descriptors come by. */
export class DescriptorPool {
  readonly #libc: Pick<Libc, 'close' | 'duplicate' | 'sendFrom'>
  readonly #passing: Pick<Passing, 'receive'>
  readonly #inbox: number
  readonly #linkSocketOf: LinkSocketOf
  readonly #held = new Map<number, Held>()
  /** Received, and not named yet, by inode. */
  readonly #unnamed = new Map<number, number>()

  constructor(
    libc: Pick<Libc, 'close' | 'duplicate' | 'sendFrom'>,
    passing: Pick<Passing, 'receive'>,
    inbox: number,
  ) {
    this.#libc = libc
    this.#passing = passing
    this.#inbox = inbox
    this.#linkSocketOf = createLinkSockets(libc)
  }

  /**
   * Takes what was passed on behalf of this session. Returns the number of sockets of which no
   * descriptor has come.
   */
  take(session: string, namespace: NamespaceName, passed: readonly PassedSocket[]): number {
    this.#receive(session)
    let missing = 0
    for (const { id, place } of passed) {
      const known = this.#held.get(id)
      const fd = this.#unnamed.get(id) ?? known?.fd
      if (fd === undefined || this.#held.size >= MAX_SOCKETS) missing += 1
      else {
        this.#dropOthers(id, namespace, place)
        this.#held.set(id, { fd, namespace, place })
      }
      if (known !== undefined && known.fd !== fd) this.#libc.close(known.fd)
      this.#unnamed.delete(id)
    }
    for (const fd of this.#unnamed.values()) this.#libc.close(fd)
    this.#unnamed.clear()
    return missing
  }

  drop(ids: readonly number[]): void {
    for (const id of ids) {
      const held = this.#held.get(id)
      if (held !== undefined) this.#libc.close(held.fd)
      this.#held.delete(id)
    }
  }

  /**
   * Of two sockets at one place the newer counts: the link was made again while there was no agent,
   * and the next one does not know of the older.
   */
  #dropOthers(id: number, namespace: NamespaceName, place: SocketPlace): void {
    const others = [...this.#held].filter(
      ([other, held]) =>
        other !== id &&
        held.namespace === namespace &&
        held.place.kind === place.kind &&
        held.place.port === place.port &&
        whereOf(held.place) === whereOf(place),
    )
    this.drop(others.map(([other]) => other))
  }

  dropNamespace(namespace: NamespaceName): void {
    this.drop([...this.#held].flatMap(([id, held]) => (held.namespace === namespace ? [id] : [])))
  }

  ofNamespace(namespace: NamespaceName): HandedSockets {
    return {
      sockets: {
        listenTcp: async (server, address, port) => {
          await giveToNode(server, this.#copy(namespace, 'tcp', address, port))
        },
        bindUdp: async (socket, address, port) => {
          const fd = this.#copy(namespace, 'udp', address, port)
          await giveToNode(socket, fd)
          return fd
        },
      },
      host: {
        nicIndexes: async () => {
          const links = [...this.#held.values()].flatMap((held): [string, number][] =>
            held.namespace === namespace && held.place.kind === 'link'
              ? [[held.place.link, held.place.index]]
              : [],
          )
          return new Map(links)
        },
        bindUdp: async (link, port) =>
          this.#linkSocketOf(this.#copy(namespace, 'link', link, port)),
      },
    }
  }

  #copy(namespace: NamespaceName, kind: SocketPlace['kind'], at: string, port: number): number {
    for (const held of this.#held.values()) {
      const { place } = held
      if (
        held.namespace === namespace &&
        place.kind === kind &&
        whereOf(place) === at &&
        place.port === port
      )
        return this.#libc.duplicate(held.fd)
    }
    throw unavailable(`the socket at ${at} port ${port} was not handed over`)
  }

  /** Reads all datagrams. Those of other connections may have waited for long. */
  #receive(session: string): void {
    for (let one = this.#passing.receive(this.#inbox); one !== null; ) {
      const isOurs = one.bytes.toString() === session
      for (const fd of one.fds) {
        const id = fstatSync(fd).ino
        if (!isOurs || this.#unnamed.has(id)) this.#libc.close(fd)
        else this.#unnamed.set(id, fd)
      }
      one = this.#passing.receive(this.#inbox)
    }
  }
}

/** The name of its link, or its address. */
function whereOf(place: SocketPlace): string {
  return place.kind === 'link' ? place.link : place.address
}
